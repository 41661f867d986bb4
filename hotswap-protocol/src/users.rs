//! Numbers of users across user namespaces.
//!
//! A namespace gives numbers to some users of the machine. All others appear in it as one and the same, the overflow
//! user (`user_namespaces(7)`).

/// The file with the numbers that a process's namespace gives.
pub const OWN_MAP: &str = "/proc/self/uid_map";

/// The file with the number of those who have none.
pub const OVERFLOW: &str = "/proc/sys/kernel/overflowuid";

/// That number where the system does not tell.
const USUAL_OVERFLOW: u32 = 65534;

/// One line of a map: so many users from `outside` on have the numbers from `inside` on.
#[derive(Debug, Clone, Copy)]
struct Range {
    inside: u32,
    outside: u32,
    count: u32,
}

fn ranges(map: &str) -> impl Iterator<Item = Range> {
    map.lines().filter_map(|line| {
        let mut numbers = line.split_whitespace().map(|word| word.parse().ok());
        let mut next = || numbers.next().flatten();
        Some(Range {
            inside: next()?,
            outside: next()?,
            count: next()?,
        })
    })
}

/// Whether users without a number appear under this one, so that they can't be told from the user who has it.
///
/// `map` is what [`OWN_MAP`] holds; none: the system has no namespaces of users. `overflow` is what [`OVERFLOW`] holds.
#[must_use]
pub fn stands_for_others(user: u32, map: Option<&str>, overflow: &str) -> bool {
    let Some(map) = map else { return false };
    let overflow = overflow.trim().parse().unwrap_or(USUAL_OVERFLOW);
    let covers_all = ranges(map).any(|range| range.count == u32::MAX);
    user == overflow && !covers_all
}

/// The number that a user of this namespace has in another one, of which this is the map as it is read here; none if
/// that one gives it no number.
#[must_use]
pub fn inside(user: u32, map: &str) -> Option<u32> {
    ranges(map).find_map(|range| {
        let at = user.checked_sub(range.outside)?;
        (at < range.count).then(|| range.inside.checked_add(at))?
    })
}

#[cfg(test)]
mod tests {
    use super::{inside, stands_for_others};

    const ALL: &str = "         0          0 4294967295\n";
    const ONE: &str = "         0       1000          1\n";
    const MANY: &str = "         0       1000          1\n         1     100000      65536\n";

    #[test]
    fn who_has_no_number_is_taken_for_nobody() {
        for (user, map, overflow, expected) in [
            (65534, Some(ALL), "65534\n", false),
            (65534, Some(ONE), "65534\n", true),
            (65534, Some(MANY), "", true),
            (65534, Some(MANY), "7", false),
            (7, Some(MANY), "7", true),
            (0, Some(ONE), "65534", false),
            (1000, Some(MANY), "65534", false),
            // Nobody was given a number yet.
            (65534, Some(""), "65534", true),
            // Without namespaces nobody is without one.
            (65534, None, "65534", false),
        ] {
            let found = stands_for_others(user, map, overflow);
            assert_eq!(found, expected, "{user} {map:?}");
        }
    }

    #[test]
    fn numbers_there() {
        for (user, map, expected) in [
            (5, ALL, Some(5)),
            (1000, ONE, Some(0)),
            (1001, ONE, None),
            (999, ONE, None),
            (100_000, MANY, Some(1)),
            (165_535, MANY, Some(65536)),
            (165_536, MANY, None),
            (1, "1 x 1\n", None),
            (1, "", None),
        ] {
            assert_eq!(inside(user, map), expected, "{user} {map}");
        }
    }
}
