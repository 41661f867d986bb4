//! Medians, and how sure a mean is.

/// Student's t by degrees of freedom, from one on: between minus and plus this lie 95 of 100 values. (Student, "The
/// probable error of a mean", Biometrika 6, 1908; the values are those of any table.) With more degrees it is smaller.
const STUDENTS_T: [f64; 30] = [
    12.706, 4.303, 3.182, 2.776, 2.571, 2.447, 2.365, 2.306, 2.262, 2.228, 2.201, 2.179, 2.160,
    2.145, 2.131, 2.120, 2.110, 2.101, 2.093, 2.086, 2.080, 2.074, 2.069, 2.064, 2.060, 2.056,
    2.052, 2.048, 2.045, 2.042,
];

/// The middle of the values; the mean of the two middle ones where their number is even.
///
/// # Panics
///
/// If there are none.
pub fn median(values: &[f64]) -> f64 {
    let sorted = sorted(values);
    let middle = sorted.len() / 2;
    if sorted.len().is_multiple_of(2) {
        f64::midpoint(sorted[middle - 1], sorted[middle])
    } else {
        sorted[middle]
    }
}

/// The values in their order.
///
/// # Panics
///
/// If there are none.
pub fn sorted(values: &[f64]) -> Vec<f64> {
    assert!(!values.is_empty(), "statistics of nothing");
    let mut sorted = values.to_vec();
    sorted.sort_by(f64::total_cmp);
    sorted
}

/// The mean.
///
/// # Panics
///
/// If there are none.
pub fn mean(values: &[f64]) -> f64 {
    assert!(!values.is_empty(), "statistics of nothing");
    values.iter().sum::<f64>() / values.len() as f64
}

/// Between which values the mean lies with 95 % confidence, as far as these values are drawn at random.
///
/// # Panics
///
/// If there are fewer than two.
pub fn interval(values: &[f64]) -> (f64, f64) {
    assert!(values.len() > 1, "no interval of one value");
    let (mean, freedom) = (mean(values), values.len() - 1);
    let squares = values.iter().map(|value| (value - mean).powi(2));
    let deviation = (squares.sum::<f64>() / freedom as f64).sqrt();
    let t = STUDENTS_T[freedom.min(STUDENTS_T.len()) - 1];
    let half = t * deviation / (values.len() as f64).sqrt();
    (mean - half, mean + half)
}

/// By what factor values are larger than those of the same place in another series: the mean factor, and between which
/// it lies with 95 % confidence.
///
/// Each factor counts by its logarithm, so that a half and the double make one. Values of one place are compared with
/// each other alone: what has changed from one place to the next is in both.
///
/// # Panics
///
/// If there are fewer than two places.
pub fn factor(values: &[f64], others: &[f64]) -> (f64, (f64, f64)) {
    let pairs = values.iter().zip(others);
    let logarithms: Vec<f64> = pairs.map(|(one, other)| (one / other).ln()).collect();
    let (from, to) = interval(&logarithms);
    (mean(&logarithms).exp(), (from.exp(), to.exp()))
}

#[cfg(test)]
mod tests {
    use super::{factor, interval, median};

    fn near(found: f64, expected: f64) {
        assert!((found - expected).abs() < 0.001, "{found}, not {expected}");
    }

    #[test]
    fn medians_of_known_values() {
        for (values, middle) in [
            (&[3.0][..], 3.0),
            (&[9.0, 1.0, 2.0], 2.0),
            (&[4.0, 1.0], 2.5),
        ] {
            assert_eq!(median(values), middle, "{values:?}");
        }
    }

    #[test]
    fn where_a_mean_lies() {
        assert_eq!(interval(&[2.0; 20]), (2.0, 2.0));
        // By hand: mean, and t times the deviation by the root of the number.
        for (values, mean, half) in [
            (vec![1.0, 3.0], 2.0, 12.706),
            (vec![1.0, 2.0, 3.0], 2.0, 4.303 / 3_f64.sqrt()),
            ([1.0, 3.0].repeat(10), 2.0, 0.480),
            // More of them than the table has.
            ([1.0, 3.0].repeat(50), 2.0, 2.042 * 0.1005),
        ] {
            let (from, to) = interval(&values);
            near(from, mean - half);
            near(to, mean + half);
        }
    }

    #[test]
    fn factors_are_of_pairs() {
        // Twice as much each time, whatever it is at the time.
        let (middle, (from, to)) = factor(&[2.0, 20.0, 6.0], &[1.0, 10.0, 3.0]);
        assert_eq!((middle, from, to), (2.0, 2.0, 2.0));
        // A half and the double.
        let (middle, (from, to)) = factor(&[1.0, 4.0], &[2.0, 2.0]);
        near(middle, 1.0);
        near(from * to, 1.0);
        assert!(from < 0.5 && to > 2.0, "{from} {to}");
        // Four percent more, one more and one less.
        let (middle, (from, to)) = factor(&[1.04, 1.05, 1.03], &[1.0; 3]);
        near(middle, 1.04);
        near(from, 1.0155);
        near(to, 1.0651);
    }
}
