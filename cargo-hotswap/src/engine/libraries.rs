//! The shared libraries of a program.

use std::collections::BTreeSet;
use std::path::PathBuf;
use std::process::Command;

use anyhow::{Context, Result};

use crate::children;
use crate::host::Host;

/// The shared libraries that the executable names, as the process has them loaded: images are
/// linked against the same files, so that their symbols carry the right versions.
pub fn of_process(host: &Host, pid: u32) -> Result<Vec<PathBuf>> {
    let maps = std::fs::read_to_string(format!("/proc/{pid}/maps"))
        .with_context(|| format!("could not see what process {pid} has loaded"))?;
    named(host, &maps)
}

/// The same as the system's loader would load them here, if the executable were started.
pub fn of_executable(host: &Host) -> Result<Vec<PathBuf>> {
    let context = || format!("could not ask what {} loads", host.executable.display());
    let mut command = Command::new(&host.executable);
    // The loader lists them, and ends before anything of the program runs.
    command.env("LD_TRACE_LOADED_OBJECTS", "1");
    let output = children::output(&mut command).with_context(context)?;
    let said = String::from_utf8_lossy(&output.stdout);
    // `libc.so.6 => /lib/libc.so.6 (0x7f0000000000)`
    let paths = said.lines().map(|line| {
        let path = line.rsplit_once(" (0x").map_or(line, |(path, _)| path);
        path.trim_end()
    });
    named(host, &paths.collect::<Vec<_>>().join("\n"))
}

/// Those paths at the ends of lines that have a name which the executable asks for.
fn named(host: &Host, lines: &str) -> Result<Vec<PathBuf>> {
    let bytes = std::fs::read(&host.executable)
        .with_context(|| format!("could not read {}", host.executable.display()))?;
    let elf = object::read::elf::ElfFile64::<object::Endianness>::parse(bytes.as_slice())?;
    let names: BTreeSet<String> = needed(&elf)?.into_iter().collect();
    let loaded: BTreeSet<PathBuf> = lines
        .lines()
        .filter_map(|line| line.find('/').map(|at| PathBuf::from(&line[at..])))
        .filter(|path| {
            let name = path.file_name().and_then(|name| name.to_str());
            name.is_some_and(|name| names.contains(name))
        })
        .collect();
    Ok(loaded.into_iter().collect())
}

/// The `DT_NEEDED` names of an executable.
fn needed(elf: &object::read::elf::ElfFile64<'_, object::Endianness>) -> Result<Vec<String>> {
    use object::read::elf::{Dyn, FileHeader};
    let (header, data, endian) = (elf.elf_header(), elf.data(), elf.endian());
    let sections = header.sections(endian, data)?;
    let Some((entries, link)) = sections.dynamic(endian, data)? else {
        return Ok(Vec::new());
    };
    let strings = sections.strings(endian, data, link)?;
    let needed = entries
        .iter()
        .filter(|entry| entry.tag32(endian) == Some(object::elf::DT_NEEDED));
    let names = needed.map(|entry| {
        let name = entry.string(endian, strings)?;
        Ok(String::from_utf8_lossy(name).into_owned())
    });
    names.collect()
}
