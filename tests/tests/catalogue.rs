//! Every change of state that the catalogue accepts, made in a program that runs: each value that a cell had is compared
//! with the one that the new code has to find, and after a revert with the first one.
//!
//! Cases share a program with those that have a way back as well, or none as well.

#[expect(
    dead_code,
    reason = "what is said of the comparison is for who compares"
)]
#[path = "../../hotswap-layout/tests/catalogue/cases.rs"]
mod cases;

use anyhow::{Result, ensure};
use hotswap_tests::{Package, Session, hotswap_verb};

use cases::{Case, cases};

const TABLE: &str = include_str!("../../hotswap-layout/tests/catalogue/state.txt");
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

/// One version of a case: its items, and a cell for each value.
fn of_case(case: &Case, new: bool) -> String {
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
    let (module, told) = (module(case), case.told(new));
    let source = case.version(new);
    let source = source.replace("derive(Migrate", "derive(Debug, Migrate");
    let (beside, cells) = (case.beside(new), cells.collect::<String>());
    format!(
        "pub mod {module} {{\n\
         use hotswap::{{Migrate, code_change}};\n\
         pub type Was<'a> = hotswap::Old<'a>;\n\
         {source}{beside}\
         crate::cells! {{ told it: {told}; {cells} }}\n\
         }}\n"
    )
}

impl Run {
    /// Starts the cases that have a way back, or those that have none, in their old version.
    fn start(name: &str, one_way: bool) -> Result<Self> {
        let mut cases = cases(TABLE);
        cases.retain(|case| !case.values.is_empty() && case.one_way == one_way);
        let package = Package::of_source(name, include_str!("catalogue/program.rs"))?;
        package.write(FILE, source(&cases, false).as_bytes())?;
        let session = Session::run(&package, &[])?;
        let mut run = Self {
            cases,
            package,
            session,
        };
        // Which makes them, too.
        run.compare("compare")?;
        Ok(run)
    }

    /// Has the program look at all cells.
    fn compare(&mut self, question: &str) -> Result<()> {
        let cells: usize = self.cases.iter().map(|case| case.values.len()).sum();
        self.session
            .ask(question, &format!("{cells} cells are right"))
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
        for case in &self.cases {
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
        self.session.ask("renew", "0 cells are right")?;
        self.compare("compare")?;
        self.session.quit()
    }
}

#[test]
fn values_go_forward_and_back() -> Result<()> {
    let mut run = Run::start("catalogue-there-and-back", false)?;
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
fn values_go_forward_that_have_no_way_back() -> Result<()> {
    let mut run = Run::start("catalogue-one-way", true)?;
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
