//! The disk is full when a release is unpacked, or made permanent: nothing is half there, and with room it goes on.

use std::fs;

use anyhow::{Context, Result, ensure};
use hotswap_tests::{hotswap_verb, inside, with_disk, workspace};

use super::{Machine, file, text};

/// Unpacks, and tells what is there then.
const UNPACK: &str = r#"{ "$0" "$@"; echo "unpacked $?"; "$0" hotswap release list; find "$HOTSWAP_RELEASES" -path '*/releases/*'; }"#;

/// Unpacks, fills the disk, makes the release permanent, makes room, and does that again.
const PERMANENT: &str = r#"{
    "$0" "$@"; echo "unpacked $?"
    cat /dev/zero >"$HOTSWAP_RELEASES/filler"
    "$0" hotswap release permanent 1.0.0 --on-restart; echo "full $?"
    "$0" hotswap release list; echo "listed $?"
    rm "$HOTSWAP_RELEASES/filler"
    "$0" hotswap release permanent 1.0.0 --on-restart; echo "room $?"
    "$0" hotswap release list
}"#;

/// The first release is made, and nothing unpacked.
pub(super) fn nothing_is_half_there(machine: &Machine) -> Result<()> {
    let Some((said, why)) = on_disk(machine, "size=1M", UNPACK)? else {
        return Ok(());
    };
    ensure!(why.contains("No space left"), "{said}{why}");
    let left = said.lines().filter(|line| line.contains("/releases/"));
    ensure!(left.count() == 0, "something is left: {said}{why}");
    let on_disk = on_disk(machine, "size=256M", PERMANENT)?;
    let (said, why) = on_disk.context("it could be mounted before")?;
    for line in ["unpacked 0", "listed 0", "room 0"] {
        let found = said.lines().any(|found| found == line);
        ensure!(found, "{line}: {said}{why}");
    }
    ensure!(
        !said.contains("full 0") && why.contains("No space left"),
        "{said}{why}"
    );
    let (before, after) = said.split_once("listed 0").context("it said so")?;
    ensure!(
        !before.contains("permanent") && after.contains("permanent"),
        "{said}{why}"
    );
    Ok(())
}

/// What the script prints, and its errors, that begins with unpacking the first release onto a disk of its own.
fn on_disk(machine: &Machine, options: &str, script: &str) -> Result<Option<(String, String)>> {
    let store = machine.package.root.join("disk");
    fs::create_dir_all(&store)?;
    let Some(outer) = with_disk(&store, options, script) else {
        return Ok(None);
    };
    let key = workspace().join("tests/keys/test.pub");
    let release = machine.package.root.join(file("1.0.0"));
    let words = [
        "release",
        "unpack",
        text(&release)?,
        "--public-key",
        text(&key)?,
    ];
    let verb = hotswap_verb(&machine.package, &words)?;
    let mut command = inside(outer, &verb);
    let output = command.env("HOTSWAP_RELEASES", &store).output()?;
    let [said, why] =
        [output.stdout, output.stderr].map(|it| String::from_utf8_lossy(&it).into_owned());
    Ok(Some((said, why)))
}
