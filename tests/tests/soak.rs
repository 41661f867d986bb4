//! Swap after swap under a thousand servers that are called throughout: none is lost, and nothing is left.

use std::fs;
use std::time::Instant;

use anyhow::{Context, Result, ensure};
use hotswap_protocol::lifecycle::State;
use hotswap_protocol::manifest::Manifest;
use hotswap_protocol::message::{ErrorCode, Response};
use hotswap_protocol::purge::Manner;
use hotswap_tests::{Package, Patched, Patches};

const SOURCE: &str = include_str!("soak/program.rs");

/// What happens how often.
#[derive(Debug, Clone, Copy)]
struct Pace {
    swaps: usize,
    /// The state's type changes in every such swap, and changes back in the next. After the first of these
    /// rounds everything has its size.
    migrates: usize,
    /// Before every such swap there is an image that is not what its manifest says.
    is_bad: usize,
    servers: usize,
}

const SHORT: Pace = Pace {
    swaps: 12,
    migrates: 6,
    is_bad: 5,
    servers: 200,
};

fn pace() -> Result<Pace> {
    let Ok(swaps) = std::env::var("HOTSWAP_TESTS_SWAPS") else {
        return Ok(SHORT);
    };
    let swaps = swaps.parse().context("HOTSWAP_TESTS_SWAPS")?;
    Ok(match swaps {
        ..LONG => Pace {
            swaps,
            servers: 1000,
            ..SHORT
        },
        _ => Pace {
            swaps,
            migrates: 100,
            is_bad: 50,
            servers: 1000,
        },
    })
}

/// What the system knows of a process.
#[derive(Debug, Clone, Copy, PartialEq)]
struct Size {
    kilobytes: u64,
    descriptors: usize,
    threads: usize,
    mappings: usize,
}

impl Size {
    fn of(pid: u32) -> Result<Self> {
        let count = |folder: &str| -> Result<usize> {
            Ok(fs::read_dir(format!("/proc/{pid}/{folder}"))?.count())
        };
        let status = fs::read_to_string(format!("/proc/{pid}/status"))?;
        let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
        let kilobytes = line.and_then(|line| line.split_ascii_whitespace().next());
        Ok(Self {
            kilobytes: kilobytes.context("no size")?.parse()?,
            descriptors: count("fd")?,
            threads: count("task")?,
            mappings: fs::read_to_string(format!("/proc/{pid}/maps"))?
                .lines()
                .count(),
        })
    }
}

/// The first swaps migrate as often as in a short run. What a migration makes lies in one of the allocator's arenas, of
/// which there are eight for each processor and each new thread takes the next: memory grows until all had a turn.
const FIRST: usize = 100;

/// The number of the patch for a swap.
fn patch(swap: usize, pace: Pace) -> usize {
    let migrates = match swap {
        ..FIRST => SHORT.migrates,
        _ => pace.migrates,
    };
    match swap % migrates {
        at if at + 2 == migrates => 2,
        at if at + 1 == migrates => 3,
        at => at % 2,
    }
}

fn refuses_a_bad_one(program: &mut Patched, good: &Manifest) -> Result<()> {
    let mut bad = good.clone();
    bad.image.as_mut().context("no image")?.checksum ^= 1;
    let answer = program.prepare(&bad)?;
    let code = ErrorCode::ImageMismatch;
    let is_refused = matches!(&answer, Response::Error { code: found, .. } if *found == code);
    ensure!(is_refused, "a bad image was taken: {answer:?}");
    Ok(())
}

/// How often a size is looked at, so that one thread that had answered a purge is gone in one of them.
const LOOKS: usize = 20;

/// The size of the program while nothing is asked of it.
fn size(program: &mut Patched) -> Result<Size> {
    let mut size = Size::of(program.pid())?;
    for _ in 0..LOOKS {
        program.status()?;
        let look = Size::of(program.pid())?;
        size.descriptors = size.descriptors.min(look.descriptors);
        size.threads = size.threads.min(look.threads);
    }
    Ok(size)
}

/// How often it is tried: with a thousand threads, each time takes a second where nothing is optimised.
const TRIES: usize = 10;

/// Images in memory, once it was tried to have few. What is left of one in memory that is in use goes as servers
/// answer, so that they do in between.
fn mapped(program: &mut Patched, text: &str) -> Result<usize> {
    let mut mapped = 0;
    for _ in 0..TRIES {
        program.purge(Manner::Soft)?;
        let versions = program.status()?.versions;
        mapped = versions.iter().filter(|it| it.image.is_some()).count();
        if mapped <= FEW {
            break;
        }
        program.session.ask("is", text)?;
    }
    Ok(mapped)
}

/// Images that may always be in memory: the current one, the one before, and one whose calls end.
const FEW: usize = 3;

/// What is said of images that stay in memory.
fn images(program: &mut Patched) -> Result<String> {
    let versions = program.status()?.versions.into_iter();
    let old = versions.filter(|it| it.image.is_some() && it.state != State::Current);
    let lines = old.map(|it| format!("\nversion {} is {}: {:?}", it.number, it.state, it.kept));
    Ok(lines.collect())
}

/// From so many swaps on, a build that is optimised pays off: each stop of a thousand threads is several times shorter.
const LONG: usize = 200;

/// The package, and patches of it: two texts, one more field, and that away again.
fn record(pace: Pace) -> Result<(Package, Patches)> {
    let package = Package::of_source("soak", SOURCE)?;
    if pace.swaps >= LONG {
        package.optimise()?;
    }
    let field = "    count: u64,\n";
    let more = "    count: u64,\n    #[migrate(default = 3)]\n    more: u64,\n";
    let edits = [
        ("\"text 0\"", "\"text 1\""),
        ("\"text 1\"", "\"text 2\""),
        (field, more),
        (more, field),
    ];
    let patches = Patches::record(&package, "src/main.rs", &edits)?;
    Ok((package, patches))
}

#[test]
fn servers_answer_through_swap_after_swap() -> Result<()> {
    let pace = pace()?;
    let (_package, patches) = record(pace)?;
    let texts = [1, 2, 2, 2].map(|number| format!("is text {number}"));
    let servers = pace.servers.to_string();
    let variables = [("HOTSWAP_PURGE", "off")];
    let mut program = Patched::start(&patches, &variables, &[&servers])?;
    let (mut first, begun) = (None, Instant::now());
    for swap in 0..pace.swaps {
        let which = patch(swap, pace);
        if swap % pace.is_bad == pace.is_bad - 1 {
            refuses_a_bad_one(&mut program, &patches.manifests[which])?;
        }
        let applied = program.apply(&patches.manifests[which]);
        applied.with_context(|| format!("swap {swap}, patch {which}"))?;
        program.session.ask("is", &texts[which])?;
        let mapped = mapped(&mut program, &texts[which])?;
        ensure!(
            mapped <= FEW,
            "{mapped} images after swap {swap}:{}",
            images(&mut program)?
        );
        if (swap + 1).is_multiple_of(pace.migrates) {
            let size = size(&mut program)?;
            println!(
                "after {} swaps, {} s: {size:?}",
                swap + 1,
                begun.elapsed().as_secs()
            );
            first.get_or_insert(size);
        }
    }
    let first = first.context("there must be more swaps")?;
    let last = size(&mut program)?;
    ensure!(
        last.kilobytes * 100 <= first.kilobytes * 105,
        "{first:?}, {last:?}"
    );
    ensure!(
        (last.descriptors, last.threads) == (first.descriptors, first.threads)
            && last.mappings <= first.mappings + 64,
        "{first:?}, {last:?}"
    );
    program
        .session
        .ask("end", &format!("0 wrong, {servers} right"))?;
    program.quit()
}
