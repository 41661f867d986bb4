//! Medians, percentiles, and tables of them.

use cargo_hotswap::statistics::sorted;
pub use cargo_hotswap::statistics::{interval, median};

/// The smallest value that at least 95 of 100 values do not exceed.
///
/// # Panics
///
/// If there are none.
pub fn p95(values: &[f64]) -> f64 {
    percentile(values, 95.0)
}

/// The smallest value that at least so many of 100 values do not exceed.
///
/// # Panics
///
/// If there are none.
pub fn percentile(values: &[f64], part: f64) -> f64 {
    let sorted = sorted(values);
    let rank = (sorted.len() as f64 * part / 100.0).ceil() as usize;
    sorted[rank.clamp(1, sorted.len()) - 1]
}

/// The values of two series, combined pair by pair.
pub fn pairs(ones: &[f64], others: &[f64], combine: fn(f64, f64) -> f64) -> Vec<f64> {
    let pairs = ones.iter().zip(others);
    pairs.map(|(one, other)| combine(*one, *other)).collect()
}

/// A table whose first column is text and whose others are numbers with `decimals` places.
#[derive(Debug)]
pub struct Table {
    decimals: usize,
    text: String,
}

impl Table {
    /// A table with these headings over the numbers.
    pub fn new(title: &str, headings: &[&str], decimals: usize) -> Self {
        let mut text = format!("{title:<44}");
        for heading in headings {
            text += &format!("{heading:>10}");
        }
        Self { decimals, text }
    }

    /// Adds a line.
    pub fn row(&mut self, name: &str, numbers: &[f64]) {
        self.text += &format!("\n  {name:<42}");
        for number in numbers {
            self.text += &format!("{number:>10.0$}", self.decimals);
        }
    }
}

/// What a bench found out: printed, and written to the book where `HOTSWAP_BOOK` is set.
#[derive(Debug)]
pub struct Report {
    name: String,
    text: String,
}

impl Report {
    /// An empty report; the book has it as `figures/NAME.txt`.
    pub fn new(name: &str) -> Self {
        let (name, text) = (name.to_owned(), String::new());
        Self { name, text }
    }

    /// Adds a table.
    pub fn table(&mut self, table: &Table) {
        self.line(&format!("{}\n", table.text));
    }

    /// Adds a line.
    pub fn line(&mut self, line: &str) {
        println!("{line}");
        self.text += line;
        self.text.push('\n');
    }

    /// Ends the report.
    ///
    /// # Errors
    ///
    /// The book can't be written.
    pub fn finish(self) -> std::io::Result<()> {
        if std::env::var_os("HOTSWAP_BOOK").is_none() {
            return Ok(());
        }
        let processors = std::thread::available_parallelism().map_or(1, usize::from);
        let text = format!(
            "{}\n\nMeasured on x86_64 Linux with {processors} processors, rustc {}.\n",
            self.text.trim_end(),
            env!("BENCH_RUSTC_VERSION")
        );
        let folder = hotswap_tests::workspace().join("book/src/figures");
        std::fs::create_dir_all(&folder)?;
        std::fs::write(folder.join(format!("{}.txt", self.name)), text)
    }
}

#[cfg(test)]
mod tests {
    use super::{p95, pairs, percentile};

    #[test]
    fn high_values_of_few() {
        let twenty: Vec<f64> = (1..=20).rev().map(f64::from).collect();
        for (values, high) in [
            (&[3.0][..], 3.0),
            (&[9.0, 1.0, 2.0], 9.0),
            (&[4.0, 1.0], 4.0),
            (&twenty, 19.0),
        ] {
            assert_eq!(p95(values), high, "{values:?}");
        }
    }

    #[test]
    fn high_percentiles() {
        let thousand: Vec<f64> = (1..=1000).map(f64::from).collect();
        for (part, expected) in [(50.0, 500.0), (99.0, 990.0), (99.9, 999.0), (100.0, 1000.0)] {
            assert_eq!(percentile(&thousand, part), expected);
        }
        assert_eq!(percentile(&[7.0], 99.9), 7.0);
    }

    #[test]
    fn pairs_stay_together() {
        assert_eq!(pairs(&[5.0, 7.0], &[1.0, 2.0], |a, b| a - b), [4.0, 5.0]);
    }
}
