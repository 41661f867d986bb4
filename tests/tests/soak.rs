//! Swap after swap under a thousand servers that are called throughout: none is lost, and nothing is left.
//!
//! Some hundred swaps unless `HOTSWAP_TESTS_SWAPS` says how many.

use std::fs;

use anyhow::{Context, Result, ensure};
use hotswap_protocol::manifest::Manifest;
use hotswap_protocol::message::{ErrorCode, Response};
use hotswap_protocol::purge::Manner;
use hotswap_tests::{Package, Patched, Patches};

const SOURCE: &str = include_str!("soak/program.rs");
const SWAPS: usize = 120;

/// The state's type changes in every hundredth swap, and changes back in the next.
const MIGRATES: usize = 100;
/// Before every fiftieth there is an image that is not what its manifest says.
const IS_BAD: usize = 50;

/// What the system knows of a process.
#[derive(Debug, Clone, Copy, PartialEq)]
struct Size {
    kilobytes: u64,
    descriptors: usize,
    threads: usize,
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
        })
    }
}

/// The number of the patch for a swap.
fn patch(swap: usize) -> usize {
    match swap % MIGRATES {
        at if at + 2 == MIGRATES => 2,
        at if at + 1 == MIGRATES => 3,
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

/// Images in memory, once it was tried a few times to have few.
fn mapped(program: &mut Patched) -> Result<usize> {
    let mut mapped = 0;
    for _ in 0..20 {
        program.purge(Manner::Soft)?;
        let versions = program.status()?.versions;
        mapped = versions.iter().filter(|it| it.image.is_some()).count();
        if mapped <= 3 {
            break;
        }
    }
    Ok(mapped)
}

#[test]
fn servers_answer_through_swap_after_swap() -> Result<()> {
    let swaps = match std::env::var("HOTSWAP_TESTS_SWAPS") {
        Ok(number) => number.parse().context("HOTSWAP_TESTS_SWAPS")?,
        Err(_) => SWAPS,
    };
    let package = Package::of_source("soak", SOURCE)?;
    let field = "    count: u64,\n";
    let more = "    count: u64,\n    #[migrate(default = 3)]\n    more: u64,\n";
    let edits = [
        ("\"text 0\"", "\"text 1\""),
        ("\"text 1\"", "\"text 2\""),
        (field, more),
        (more, field),
    ];
    let patches = Patches::record(&package, "src/main.rs", &edits)?;
    let texts = [1, 2, 2, 2].map(|number| format!("is text {number}"));
    let mut program = Patched::start(&patches, &[("HOTSWAP_PURGE", "off")], &[])?;
    let mut at_hundredth = None;
    for swap in 0..swaps {
        let which = patch(swap);
        if swap % IS_BAD == IS_BAD - 1 {
            refuses_a_bad_one(&mut program, &patches.manifests[which])?;
        }
        let applied = program.apply(&patches.manifests[which]);
        applied.with_context(|| format!("swap {swap}, patch {which}"))?;
        program.session.ask("is", &texts[which])?;
        let mapped = mapped(&mut program)?;
        ensure!(
            mapped <= 3,
            "{mapped} images after swap {swap}: {:?}",
            program.status()?
        );
        if swap == 99 {
            at_hundredth = Some(Size::of(program.pid())?);
        }
    }
    let first = at_hundredth.context("there must be more than a hundred swaps")?;
    let last = Size::of(program.pid())?;
    println!("after 100 swaps {first:?}, after {swaps} {last:?}");
    ensure!(
        last.kilobytes * 100 <= first.kilobytes * 105,
        "{first:?}, {last:?}"
    );
    ensure!(
        (last.descriptors, last.threads) == (first.descriptors, first.threads),
        "{first:?}, {last:?}"
    );
    program.session.ask("end", "0 wrong, 1000 right")?;
    program.quit()
}
