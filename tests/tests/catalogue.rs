//! Every change that the catalogue accepts, made in a program that runs: each value that a cell had is compared with the one
//! that the new code has to find, and after a revert with the first one. So is what calls give, where no cell changes.
//!
//! Cases of state share a program with those that have a way back as well, or none as well. All others share one.

#[expect(
    dead_code,
    reason = "what is said of the comparison is for who compares"
)]
#[path = "../../hotswap-layout/tests/catalogue/cases.rs"]
mod cases;

use anyhow::{Result, ensure};
use hotswap_tests::{Package, Session, hotswap_verb};

use cases::{Case, cases};

/// The table of changes of state.
const STATE: &str = include_str!("../../hotswap-layout/tests/catalogue/state.txt");
/// The tables of changes in which no state changes.
const CODE: [&str; 3] = [
    include_str!("../../hotswap-layout/tests/catalogue/data.txt"),
    include_str!("../../hotswap-layout/tests/catalogue/code.txt"),
    include_str!("../../hotswap-layout/tests/catalogue/convention.txt"),
];
/// Where the cases' items are.
const FILE: &str = "src/cases.rs";

/// Cases in a program that runs.
struct Run {
    cases: Vec<Case>,
    package: Package,
    session: Session,
}

/// The module of a case.
fn module(case: &Case) -> &str {
    let module = case.module.as_deref();
    module.expect("a case has a module to be run in")
}

/// The source of all cases, each in one of its versions.
fn source(cases: &[Case], new: bool) -> String {
    let of_all = |call: &str| {
        let calls = cases
            .iter()
            .map(|case| format!("{}::{call};", module(case)));
        calls.collect::<String>()
    };
    let [compare, renew] = ["compare(back, found)", "renew()"].map(of_all);
    let modules = cases.iter().map(|case| of_case(case, new));
    modules.collect::<String>()
        + &format!(
            "pub fn compare(back: bool, found: &mut crate::Found) {{ {compare} }}\n\
             pub fn renew() {{ {renew} }}\n"
        )
}

/// One version of a case: its items, and what is compared.
fn of_case(case: &Case, new: bool) -> String {
    let module = module(case);
    let mut source = case.version(new) + &case.beside(new);
    source = source.replace("derive(Migrate", "derive(Debug, Migrate");
    for migrated in &case.migrated {
        let (_, name) = migrated.rsplit_once("::").expect("a path");
        let of_type = format!("pub struct {name} ");
        source = source.replace(&of_type, &format!("#[derive(Migrate)] {of_type}"));
    }
    // Answers are on standard output.
    source = source.replace("println!", "eprintln!");
    let compared = match case.call(new) {
        Some(call) => compared_call(case, &call, new),
        None => compared_cells(case, new),
    };
    format!("pub mod {module} {{\nuse crate::prelude::*;\n{source}{compared}}}\n")
}

/// A call, and what it gives.
fn compared_call(case: &Case, call: &str, new: bool) -> String {
    let value = &case.values[0];
    let (gives, back) = (value.version(new), value.back());
    format!("crate::call! {{ {{ {call} }} gives {gives}, back {back} }}\n")
}

/// A cell for each value.
fn compared_cells(case: &Case, new: bool) -> String {
    let cells = case.values.iter().enumerate().map(|(at, value)| {
        let first = value.version(new);
        // What a cell would hold that was made anew has to differ from what it should have kept.
        let begins = match new {
            true => "panic!(\"it starts afresh\")",
            false => &first,
        };
        let back = match new {
            true => &first,
            false => &value.back(),
        };
        format!("CELL_{at} begins || {{ {begins} }}, is {{ {first} }}, back {{ {back} }};\n")
    });
    let (told, cells) = (case.told(new), cells.collect::<String>());
    format!("crate::cells! {{ told it: {told}; {cells} }}\n")
}

impl Run {
    /// Starts cases in their old version.
    fn start(name: &str, cases: Vec<Case>, arguments: &[&str]) -> Result<Self> {
        let package = Package::of_source(name, include_str!("catalogue/program.rs"))?;
        package.write(FILE, source(&cases, false).as_bytes())?;
        let session = Session::run(&package, arguments)?;
        let mut run = Self {
            cases,
            package,
            session,
        };
        // Which makes them, too.
        run.compare("compare")?;
        Ok(run)
    }

    /// Has the program look at all cells, and make all calls.
    fn compare(&mut self, question: &str) -> Result<()> {
        let values: usize = self.cases.iter().map(|case| case.values.len()).sum();
        self.session
            .ask(question, &format!("{values} values are right"))
    }

    fn save_new(&mut self) -> Result<()> {
        self.package
            .write(FILE, source(&self.cases, true).as_bytes())?;
        self.await_migrated()
    }

    fn revert(&self) -> Result<()> {
        let pid = self.session.pid()?.to_string();
        hotswap_verb(&self.package, &["revert", "--pid", &pid])?.output()?;
        Ok(())
    }

    /// Waits for a swap in which each cell was migrated whose type changed, and no other.
    fn await_migrated(&mut self) -> Result<()> {
        let event = self.session.await_swapped()?;
        for case in self.cases.iter().filter(|case| case.call(true).is_none()) {
            let changes = !case.expected.is_empty();
            for at in 0..case.values.len() {
                let cell = format!("{}::CELL_{at}", module(case));
                let found = event.field_has("migrated.cells", std::slice::from_ref(&cell));
                ensure!(found == changes, "{cell} was migrated: {found}");
            }
        }
        Ok(())
    }

    /// Ends it, once the new code has dropped the values that it was given.
    fn end(mut self) -> Result<()> {
        self.session.ask("renew", "0 values are right")?;
        self.compare("compare")?;
        self.session.quit()
    }
}

/// The cases that have a way back, or those that have none.
fn of_state(one_way: bool) -> Vec<Case> {
    let mut cases = cases(STATE);
    cases.retain(|case| !case.values.is_empty() && case.one_way == one_way);
    cases
}

/// The cases in which no state changes.
fn of_code() -> Vec<Case> {
    let mut cases: Vec<Case> = CODE.iter().flat_map(|table| cases(table)).collect();
    cases.retain(Case::is_accepted);
    for case in &mut cases {
        assert!(case.call(true).is_some(), "{}: no call", case.name);
        // Those that have a crate for themselves as well are compared in one with the others here.
        case.share();
    }
    cases
}

fn there_and_back(mut run: Run) -> Result<()> {
    run.save_new()?;
    run.compare("compare")?;
    run.revert()?;
    run.await_migrated()?;
    run.compare("compare after a revert")?;
    run.save_new()?;
    run.compare("compare")?;
    run.end()
}

#[test]
fn values_go_forward_and_back() -> Result<()> {
    let run = Run::start("catalogue-there-and-back", of_state(false), &[])?;
    there_and_back(run)
}

#[test]
fn calls_go_forward_and_back() -> Result<()> {
    there_and_back(Run::start("catalogue-calls", of_code(), &[])?)
}

#[test]
fn calls_of_optimised_code_go_forward_and_back() -> Result<()> {
    let run = Run::start("catalogue-optimised-calls", of_code(), &["--release"])?;
    there_and_back(run)
}

#[test]
fn values_go_forward_that_have_no_way_back() -> Result<()> {
    let mut run = Run::start("catalogue-one-way", of_state(true), &[])?;
    run.save_new()?;
    run.compare("compare")?;
    run.revert()?;
    let event = run.session.await_event("refused", &[])?;
    for case in &run.cases {
        let path = format!("{}::", module(case));
        ensure!(event.has(&[path]), "{} has a way back: {event}", case.name);
    }
    run.compare("compare")?;
    run.end()
}
