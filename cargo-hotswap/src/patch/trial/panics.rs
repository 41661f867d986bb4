//! How many calls of a patch's code may panic while it is watched: in all, or in a time.

use std::collections::VecDeque;
use std::fmt;
use std::str::FromStr;
use std::time::{Duration, Instant};

/// So many calls may panic; one more, and the patch does not hold.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Borne {
    calls: u64,
    /// Within any time as long as this. None: since the patch was applied.
    within: Option<Duration>,
}

impl FromStr for Borne {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let (calls, time) = match text.split_once('/') {
            Some((calls, time)) => (calls, Some(time)),
            None => (text, None),
        };
        let calls = calls.trim().parse::<u64>();
        let calls = calls.map_err(|_| format!("`{text}` is no number, nor one as in `5/min`"))?;
        let within = time.map(|time| {
            // A unit alone is one of it.
            let bare = !time
                .trim()
                .starts_with(|first: char| first.is_ascii_digit());
            super::super::time(&if bare {
                format!("1{}", time.trim())
            } else {
                time.to_owned()
            })
        });
        match within.transpose()? {
            Some(Duration::ZERO) => Err(format!("`{text}` is a rate in no time at all")),
            within => Ok(Self { calls, within }),
        }
    }
}

impl fmt::Display for Borne {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.within {
            Some(within) => {
                let within = humantime::format_duration(within);
                write!(f, "{} in {within}", self.calls)
            }
            None => self.calls.fmt(f),
        }
    }
}

/// What one program has told of panics, from look to look.
#[derive(Debug, Default)]
pub(super) struct Told {
    /// When it was looked, and how many there were since the patch was applied. The first one is what counts as
    /// before the time that is looked at.
    looks: VecDeque<(Instant, u64)>,
}

impl Told {
    /// Begins with what there was before anything is watched.
    pub(super) fn before(panics: u64, now: Instant) -> Self {
        Self {
            looks: VecDeque::from([(now, panics)]),
        }
    }

    /// Takes note of how many there are now. If they are too many, the result is their number in the time that counts.
    pub(super) fn too_many(&mut self, panics: u64, now: Instant, borne: Borne) -> Option<u64> {
        let Some(within) = borne.within else {
            return (panics > borne.calls).then_some(panics);
        };
        if self.looks.back().is_some_and(|(_, last)| panics < *last) {
            // It was applied anew, and is counted from nothing.
            self.looks = VecDeque::from([(now, 0)]);
        }
        self.looks.push_back((now, panics));
        // The newest look that lies so far back, or the first there was.
        while let Some((at, _)) = self.looks.get(1)
            && now.saturating_duration_since(*at) >= within
        {
            self.looks.pop_front();
        }
        let before = self.looks.front().map_or(0, |(_, panics)| *panics);
        let late = panics.saturating_sub(before);
        (late > borne.calls).then_some(late)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_can_be_given() {
        for (text, shown) in [
            ("0", "0"),
            ("5", "5"),
            ("5/min", "5 in 1m"),
            ("5/10s", "5 in 10s"),
            (" 2 / h", "2 in 1h"),
            ("1/90min", "1 in 1h 30m"),
        ] {
            let borne: Borne = text.parse().unwrap();
            assert_eq!(borne.to_string(), shown);
        }
        for text in [
            "",
            "-1",
            "/min",
            "5/",
            "5/0s",
            "5/week-end",
            "5/500000000000y",
            "many",
            "1/2/3",
        ] {
            assert!(text.parse::<Borne>().is_err(), "{text}");
        }
    }

    /// Looks at these seconds, with so many panics since the patch was applied, and the first that is too many.
    fn check(borne: &str, before: u64, looks: &[(u64, u64)], expected: Option<(u64, u64)>) {
        let (start, borne) = (Instant::now(), borne.parse().unwrap());
        let mut told = Told::before(before, start);
        let found = looks.iter().find_map(|&(second, panics)| {
            let now = start + Duration::from_secs(second);
            let late = told.too_many(panics, now, borne)?;
            Some((second, late))
        });
        assert_eq!(found, expected, "{borne} {looks:?}");
    }

    #[test]
    fn too_many_in_all() {
        check("0", 0, &[(1, 0), (2, 0)], None);
        check("0", 0, &[(1, 0), (2, 1)], Some((2, 1)));
        check("2", 0, &[(1, 2), (9, 2), (10, 3)], Some((10, 3)));
        // Those of an earlier application in one go.
        check("2", 7, &[(1, 7)], Some((1, 7)));
    }

    #[test]
    fn too_many_in_a_time() {
        check("2/min", 0, &[(10, 2), (60, 2), (71, 4)], None);
        check("2/min", 0, &[(10, 2), (60, 3)], Some((60, 3)));
        check(
            "2/10s",
            0,
            &[(0, 1), (4, 2), (8, 2), (12, 4)],
            Some((12, 3)),
        );
        check("2/10s", 0, &[(0, 2), (11, 4), (22, 6), (33, 8)], None);
        // One a second for a long time, then two.
        let steady: Vec<_> = (1..100).map(|second| (second, second)).collect();
        check("10/10s", 0, &steady, None);
        check("9/10s", 0, &steady, Some((10, 10)));
        // What there was before is not of this time.
        check("0/min", 7, &[(1, 7), (2, 7)], None);
        check("0/min", 7, &[(1, 7), (2, 8)], Some((2, 1)));
        // Applied anew meanwhile.
        check("2/min", 7, &[(1, 0), (2, 2)], None);
        check("2/min", 7, &[(1, 0), (2, 3)], Some((2, 3)));
    }
}
