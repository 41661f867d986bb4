//! What can be gone back to, from versions without images.

use super::*;

/// The record after these swaps: an edit, a patch, one whose values stay, or the revert that the record itself leads to.
fn after(swaps: &str) -> Versions {
    let mut versions = Versions {
        all: vec![Version::host()],
        support: Vec::new(),
        refused: Vec::new(),
    };
    for (number, swap) in (1..).zip(swaps.chars()) {
        let origin = match swap {
            'e' | 'p' => Origin::Edit(Values::Change(Migration::default())),
            's' => Origin::Edit(Values::Stay(Vec::new())),
            _ => Origin::Revert(back_from(&versions).unwrap()),
        };
        let mut version = Version::loading(number, None, None);
        if matches!(swap, 'p' | 's') {
            version.mark_of_patch();
        }
        versions.is_current(version, origin, Bodies::default());
    }
    versions
}

/// The version whose code a revert brings now, or why there is none.
fn back_from(versions: &Versions) -> Result<u64, &'static str> {
    match &versions.all.last().unwrap().before {
        Before::Way(way) => Ok(way.to),
        Before::Nothing => Err("nothing"),
        Before::Dropped => Err("dropped"),
    }
}

#[test]
fn each_revert_goes_one_version_further_back() {
    for (swaps, expected) in [
        ("", Err("nothing")),
        ("e", Ok(0)),
        ("ee", Ok(1)),
        ("eer", Ok(0)),
        ("eerr", Err("nothing")),
        // An edit goes on top of what is current then.
        ("eere", Ok(1)),
        ("eerer", Ok(0)),
        ("eererr", Err("nothing")),
        ("er", Err("nothing")),
        ("erererer", Err("nothing")),
    ] {
        assert_eq!(back_from(&after(swaps)), expected, "{swaps}");
    }
}

#[test]
fn the_oldest_ways_are_dropped() {
    let swaps = "e".repeat(40);
    let kept = after(&swaps);
    let ways = kept.all.iter();
    let ways = ways.filter(|it| matches!(it.before, Before::Way(_)));
    assert_eq!(ways.count(), KEPT);
    let reverts = "r".repeat(KEPT);
    assert_eq!(back_from(&after(&(swaps + &reverts))), Err("dropped"));
}

#[test]
fn all_patches_can_be_gone_back_from() {
    for (swaps, expected) in [
        ("ppppp", Ok(4)),
        ("ppppprrrr", Ok(0)),
        ("ppppprrrrr", Err("nothing")),
        ("pppprrpprrrr", Err("nothing")),
        // Those that lie on edits; of these not all.
        ("eeepppprrr", Ok(3)),
        ("eeepppprrrr", Err("dropped")),
        // An edit is none.
        ("ppppe", Ok(4)),
        ("pppperr", Err("dropped")),
    ] {
        assert_eq!(back_from(&after(swaps)), expected, "{swaps}");
    }
}

#[test]
fn it_is_known_how_far_back_all_ways_lead() {
    for (swaps, code, expected) in [
        ("p", 1, true),
        ("s", 1, false),
        ("pp", 1, true),
        ("ps", 1, false),
        ("sp", 2, true),
        ("sp", 1, false),
        // What was reverted is behind.
        ("ppr", 2, false),
        ("ppr", 1, true),
        ("pprp", 1, true),
        ("pprp", 4, true),
        ("eeepp", 5, true),
        ("eeepp", 1, false),
    ] {
        assert_eq!(
            after(swaps).leads_back_from(code),
            expected,
            "{swaps} {code}"
        );
    }
}

/// None of them has an image, so each is gone once it was replaced and no way leads on from it.
#[test]
fn versions_of_which_nothing_is_left_are_forgotten_some_time() {
    let numbers = |swaps: usize| -> Vec<u64> {
        let mut versions = after("");
        for _ in 0..swaps {
            let number = versions.all.last().unwrap().number + 1;
            let origin = Origin::Edit(Values::Stay(Vec::new()));
            let version = Version::loading(number, None, None);
            versions.is_current(version, origin, Bodies::default());
            versions.notice_drained();
        }
        versions.all.iter().map(|it| it.number).collect()
    };
    assert_eq!(numbers(40), (0..=40).collect::<Vec<_>>());
    // The newest two are not gone: they have ways back.
    let first = 1000 - 1 - REMEMBERED as u64;
    let expected: Vec<u64> = [0].into_iter().chain(first..=1000).collect();
    assert_eq!(numbers(1000), expected);
}

#[test]
fn exactly_one_version_is_current() {
    let versions = after("eerre");
    let current = versions.all.iter();
    let current = current.filter(|it| it.state == State::Current);
    assert_eq!(current.map(|it| it.number).collect::<Vec<_>>(), [5]);
    assert_eq!(versions.all[3].reverts_to, Some(1));
    assert_eq!(versions.all[4].reverts_to, Some(0));
}
