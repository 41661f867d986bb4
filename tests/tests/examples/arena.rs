//! ratatui on a terminal, in a program of several library crates.

use anyhow::{Result, ensure};
use hotswap_tests::{Package, Terminal, hotswap};

/// The number of steps that a screen shows.
fn steps(screen: &str) -> Option<u64> {
    let (_, rest) = screen.split_once("| step ")?;
    rest.split(',').next()?.parse().ok()
}

#[test]
fn arena_keeps_its_balls_in_the_air() -> Result<()> {
    let package = Package::of_example("arena")?;
    let mut command = hotswap(&package)?;
    command.args(["run", "-p", "arena"]);
    let mut terminal = Terminal::start(&command, 100, 30)?;
    terminal.shows(|screen| screen.contains("0 balls, 0 bounces"))?;
    terminal.type_keys("   ")?;
    let before = terminal.shows(|screen| screen.contains("3 balls"))?;
    // A crate that the program depends on.
    package.edit("examples/arena/draw/src/lib.rs", " Arena ", " Circus ")?;
    let after = terminal.shows(|screen| screen.contains(" Circus "))?;
    ensure!(after.contains("3 balls"), "{after}");
    ensure!(steps(&before) < steps(&after), "{before}\n{after}");
    // One on which others depend: those are new with it.
    let world = "examples/arena/world/src/lib.rs";
    package.edit(world, "{balls} balls, ", "{balls} in the air, ")?;
    terminal.shows(|screen| screen.contains("3 in the air"))?;
    let rules = "examples/arena/rules/src/lib.rs";
    package.edit(rules, "world.steps += 1;", "world.steps += 1_000_000;")?;
    let leaps = |screen: &str| steps(screen).is_some_and(|steps| steps > 1_000_000);
    let last = terminal.shows(leaps)?;
    ensure!(last.contains("3 in the air"), "{last}");
    many_get_a_field(&package, &mut terminal)?;
    terminal.type_keys("q")?;
    ensure!(terminal.end()? == 0, "{}", terminal.written());
    Ok(())
}

/// A million balls, between two frames.
fn many_get_a_field(package: &Package, terminal: &mut Terminal) -> Result<()> {
    terminal.type_keys("pm")?;
    terminal.shows(|screen| screen.contains("1000003 in the air"))?;
    let world = "examples/arena/world/src/lib.rs";
    package.edit(
        world,
        "{} bounces\", self",
        "{} bounces of weight {}\", self",
    )?;
    package.edit(world, "self.bounces())", "self.bounces(), self.weight())")?;
    package.edit(
        world,
        "    pub bounces: u32,\n",
        "    pub bounces: u32,\n    #[migrate(default = 2)]\n    pub weight: u32,\n",
    )?;
    package.edit(
        world,
        "    /// How often balls hit something.",
        "    fn weight(&self) -> u32 {\n        self.balls.iter().map(|ball| ball.weight).sum()\n    }\n\n    \
         /// How often balls hit something.",
    )?;
    let rules = "examples/arena/rules/src/lib.rs";
    package.edit(rules, "bounces: 0,", "bounces: 0,\n        weight: 3,")?;
    let heavy = |screen: &str| screen.contains("of weight 2000006");
    terminal.shows(heavy)?;
    // What is thrown in from now on is the new code's.
    terminal.type_keys(" ")?;
    terminal.shows(|screen| screen.contains("of weight 2000009"))?;
    Ok(())
}
