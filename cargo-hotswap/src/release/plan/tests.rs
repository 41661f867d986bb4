//! Plans as they are generated, read again, and edited in every way that is refused.

use super::*;
use crate::release::about::tests::{about, way};

fn cells() -> Way {
    Way {
        cells: vec!["web::WORLD".to_owned()],
        ..way(&["1.0.0"])
    }
}

/// The names of the steps, up and down.
fn names(plan: &Plan) -> [String; 2] {
    let name = |step: &Step| {
        let value = serde_json::to_value(step).unwrap();
        value["step"].as_str().unwrap().to_owned()
    };
    let all = |steps: &[Step]| steps.iter().map(name).collect::<Vec<_>>().join(" ");
    [all(&plan.up), all(&plan.down)]
}

fn text(way: &Way) -> String {
    let about = about("1.1.0", vec![way.clone()]);
    Plan::generate(way).text(&about, way).unwrap()
}

#[test]
fn what_is_generated_is_read_again() {
    let reasons = || vec!["a layout changed:\n  `A` has \"8\" bytes".to_owned()];
    let restart = Way {
        patch: None,
        restart: reasons(),
        ..cells()
    };
    let only_up = Way {
        no_way_back: reasons(),
        ..cells()
    };
    let live = "suspend load migrate resume purge";
    for (way, expected) in [
        (way(&["1.0.0"]), ["load purge", "load purge"]),
        (cells(), [live, live]),
        (restart, ["restart", "restart"]),
        (
            only_up,
            [
                "suspend load migrate point-of-no-return resume purge",
                "restart",
            ],
        ),
    ] {
        let plan = Plan::generate(&way);
        assert_eq!(names(&plan), expected);
        let text = text(&way);
        assert_eq!(Plan::read(&text, &way), Ok(plan), "{text}");
    }
    assert_eq!(
        crates(&way(&["1.0.0"]), Direction::Down),
        ["web (bin)", "util (lib)"]
    );
}

/// Reads a plan with cells after an edit of the way up.
fn check(from: &str, to: &str, expected: &str) {
    let (way, text) = (cells(), text(&cells()));
    let (up, down) = text.split_at(text.find("[[down]]").unwrap());
    assert!(up.contains(from), "no {from:?} in\n{up}");
    let edited = up.replacen(from, to, 1) + down;
    let outcome = match Plan::read(&edited, &way) {
        Ok(plan) => names(&plan)[0].clone(),
        Err(error) => error.to_string(),
    };
    assert!(
        outcome.contains(expected),
        "{expected}: {outcome}\n{edited}"
    );
}

/// A step without anything that belongs to it.
fn step(name: &str) -> String {
    format!("[[up]]\nstep = \"{name}\"\n")
}

#[test]
fn what_an_operator_may_want_is_taken() {
    let (resume, purge) = (step("resume"), "manner = \"soft\"\n");
    let call = format!("{}command = \"true\"\n", step("call"));
    let undone = format!("{purge}{call}undo = \"b\"\ntimeout = \"2s\"\n");
    let brutal = format!(
        "{purge}{}{}manner = \"brutal\"\n",
        step("point-of-no-return"),
        step("purge")
    );
    check(
        &resume,
        &format!("{call}{resume}"),
        "migrate call resume purge",
    );
    check("timeout = \"5s\"", "timeout = \"1m 30s\"", "suspend load");
    check(purge, &brutal, "purge point-of-no-return purge");
    check(purge, &undone, "resume purge call");
}

#[test]
fn what_follows_from_the_builds_and_what_would_not_end_well_is_refused() {
    let suspended = "each `suspend` up must be followed by one `resume`";
    let returns = "`point-of-no-return` up may stand once, and after `load`";
    let load = "there must be one `load` up, of [\"util (lib)\", \"web (bin)\"]";
    let point = step("point-of-no-return");
    check(
        "step = \"resume\"",
        "step = \"call\"\ncommand = \"a\"",
        suspended,
    );
    check(
        "step = \"resume\"",
        "step = \"resume\"\nservers = [\"a\"]",
        suspended,
    );
    check(
        &step("load"),
        &format!("{}{}", step("suspend"), step("load")),
        suspended,
    );
    check("\"util (lib)\",", "", load);
    check(
        &step("load"),
        &format!("{}crates = []\n{}", step("load"), step("load")),
        load,
    );
    check(
        "web::WORLD",
        "web::OTHER",
        "`load` up must be followed by `migrate` of [\"web::WORLD\"]",
    );
    check(
        "manner = \"soft\"",
        "manner = \"brutal\"",
        "a brutal one after `point-of-no-return`",
    );
    check(
        &step("load"),
        &format!("{}manner = \"soft\"\n{}", step("purge"), step("load")),
        "after `load`",
    );
    check(&step("load"), &format!("{point}{}", step("load")), returns);
    check(
        &step("migrate"),
        &format!("{point}{}", step("migrate")),
        "must be followed by `migrate`",
    );
    check(
        &step("purge"),
        &format!("{point}{point}{}", step("purge")),
        returns,
    );
    check(
        &step("resume"),
        &format!("{}reasons = []\n{}", step("restart"), step("resume")),
        "`restart` must be the only step up",
    );
    check(&step("resume"), &step("reboot"), "the plan can't be read: ");
    check("timeout = ", "time = ", "the plan can't be read: ");
    check(
        "timeout = \"5s\"",
        "timeout = \"2h\"",
        "`2h` is longer than an hour",
    );
    check(
        "format = 1",
        "format = 2",
        "the plan has form 2, expected 1",
    );
    assert_eq!(
        Plan::read(&text(&cells()), &way(&["0.9.0", "1.0.0"]))
            .unwrap_err()
            .to_string(),
        "the plan is for programs that have run [\"1.0.0\"], expected [\"0.9.0\", \"1.0.0\"]"
    );
    let many = step("point-of-no-return").repeat(MAX_STEPS);
    check(
        &step("resume"),
        &format!("{many}{}", step("resume")),
        "more than 100 steps up",
    );
}

#[test]
fn a_swap_may_be_given_up_for_a_restart_and_not_the_other_way_round() {
    let restart = Way {
        patch: None,
        restart: vec!["a layout changed".to_owned()],
        ..way(&["1.0.0"])
    };
    assert!(Plan::read(&text(&restart), &way(&["1.0.0"])).is_ok());
    let error = Plan::read(&text(&way(&["1.0.0"])), &restart).unwrap_err();
    assert_eq!(
        error.to_string(),
        "nothing but a restart leads up: a layout changed"
    );
}
