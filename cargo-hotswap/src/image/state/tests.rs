//! What is told of statics.

use super::{State, StaticReport, Told, declares, enclosing_block};

#[test]
fn finds_what_a_macro_makes_of_a_name() {
    for (path, name, expected) in [
        ("app::A", "A", true),
        ("app::AB", "A", false),
        ("app::A::{constant#0}::{closure#0}::VAL", "A", true),
        (
            "<app::A as core::ops::deref::Deref>::deref::__stability::LAZY",
            "A",
            true,
        ),
        ("app::a::B", "A", false),
    ] {
        assert_eq!(declares(path, name), expected, "{path}");
    }
}

#[test]
fn only_news_of_statics_is_told() {
    let told = |name: &str, bytes| Told {
        report: StaticReport {
            name: format!("app::{name}"),
            verdict: "kept",
            reason: "edited".to_owned(),
        },
        bytes,
        pointers: Vec::new(),
    };
    // What was said before, what there is to say, the statics whose text was edited, what is said.
    for (before, now, edited, expected) in [
        (vec![], vec![told("A", 1)], vec![], "A"),
        (vec![told("A", 1)], vec![told("A", 1)], vec![], ""),
        (vec![told("A", 1)], vec![told("A", 1)], vec!["A"], "A"),
        // A constant that the initialiser reads was edited.
        (vec![told("A", 1)], vec![told("A", 2)], vec![], "A"),
        (
            vec![told("A", 1)],
            vec![told("A", 1), told("B", 1)],
            vec![],
            "B",
        ),
        // Two of one name.
        (
            vec![told("A", 1)],
            vec![told("A", 1), told("A", 2)],
            vec![],
            "A",
        ),
    ] {
        let mut state = State::default();
        for one in &now {
            if !state.reports.contains(&one.report) {
                state.reports.push(one.report.clone());
            }
        }
        // This one is told for another reason than its value.
        let other = told("OTHER", 0).report;
        state.reports.push(other);
        state.about.clone_from(&now);
        let edited = edited.into_iter().map(str::to_owned).collect();
        assert_eq!(state.take_told(&before, &edited), now);
        let said = state.reports.iter().map(|report| &report.name[5..]);
        let said: Vec<&str> = said.filter(|name| *name != "OTHER").collect();
        assert_eq!(said.concat(), expected);
        assert!(
            state
                .reports
                .iter()
                .any(|report| report.name == "app::OTHER")
        );
    }
}

#[test]
fn items_of_one_unnamed_block_share_its_path() {
    let block = Some("_RNvNvCs5_3apps_1__");
    for (symbol, path, expected) in [
        ("_RNvNvCs5_3apps_1__6___CTOR", "app::_::__CTOR", block),
        (
            "_RNvNvCs5_3apps_1__11___INVENTORY",
            "app::_::__INVENTORY",
            block,
        ),
        ("_RNvNvCs5_3apps_1__5PLAIN", "app::_::PLAIN", block),
        ("_RNvCs5_3app5FIRST", "app::FIRST", None),
        ("", "", None),
    ] {
        assert_eq!(enclosing_block(symbol, path), expected, "{symbol}");
    }
}
