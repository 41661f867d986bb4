//! Where a process has its code: its executable, images and libraries, by address.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use object::read::elf::{ElfFile64, ProgramHeader};
use object::{Endianness, elf};

/// The code of a process, as it was at the last look.
#[derive(Debug)]
pub struct Code {
    pid: u32,
    /// Where the process was started from.
    executable: PathBuf,
    /// A file with the same content that stays, whatever cargo does.
    host: PathBuf,
    /// The version that each image brought.
    images: BTreeMap<PathBuf, u64>,
    /// Ordered by address.
    pub(super) modules: Vec<Module>,
}

/// A file that a process has mapped code from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Module {
    /// The file, to be read.
    pub path: PathBuf,
    /// Its first address.
    pub start: u64,
    /// The address behind its last.
    pub end: u64,
    /// Where its executable part begins.
    code_start: u64,
    /// Where in the file that part begins.
    code_offset: u64,
    /// The version that it brought; none for libraries.
    pub version: Option<u64>,
}

impl Code {
    /// The code of a process that was just started from `executable`, of which `host` is a copy.
    pub fn new(pid: u32, executable: &Path, host: &Path) -> Self {
        let executable = fs::canonicalize(executable);
        Self {
            pid,
            executable: executable.unwrap_or_default(),
            host: host.to_owned(),
            images: BTreeMap::new(),
            modules: Vec::new(),
        }
    }

    /// Takes note of the image that brought a version.
    pub fn add_image(&mut self, path: PathBuf, version: u64) {
        self.images.insert(path, version);
    }

    /// Looks at what the process has mapped now. What it maps later is not known.
    pub fn look(&mut self) {
        // A process that has ended has nothing mapped; what was seen before is kept.
        let Ok(maps) = fs::read_to_string(format!("/proc/{}/maps", self.pid)) else {
            return;
        };
        let mut modules = parse(&maps);
        for module in &mut modules {
            if module.path == self.executable {
                module.path.clone_from(&self.host);
                module.version = Some(0);
            } else {
                module.version = self.images.get(&module.path).copied();
            }
        }
        if !modules.is_empty() {
            self.modules = modules;
        }
    }

    /// The module at an address.
    pub fn at(&self, address: u64) -> Option<&Module> {
        let mut modules = self.modules.iter();
        modules.find(|module| (module.start..module.end).contains(&address))
    }
}

impl Module {
    /// What is added to a virtual address of the file.
    ///
    /// # Errors
    ///
    /// The file is not the one that was mapped.
    pub fn bias(&self, file: &ElfFile64<'_>) -> Result<u64> {
        let endian = Endianness::Little;
        let segment = file.elf_program_headers().iter().find(|header| {
            let (start, bytes) = header.file_range(endian);
            header.p_type(endian) == elf::PT_LOAD
                && header.p_flags(endian) & elf::PF_X != 0
                && (self.code_offset..self.code_offset.saturating_add(PAGE_BYTES)).contains(&start)
                && bytes > 0
        });
        let segment = segment.with_context(|| format!("{} was changed", self.path.display()))?;
        let into = segment.file_range(endian).0 - self.code_offset;
        let first = segment.p_vaddr(endian).wrapping_sub(into);
        Ok(self.code_start.wrapping_sub(first))
    }
}

/// Bytes of a page: mappings begin at one, segments where they like.
const PAGE_BYTES: u64 = 4096;

/// The files in `/proc/PID/maps` that code is mapped from.
fn parse(maps: &str) -> Vec<Module> {
    let mut modules: Vec<Module> = Vec::new();
    for mapping in maps.lines().filter_map(Mapping::parse) {
        let same = modules
            .last_mut()
            .filter(|module| module.path == mapping.path && module.end <= mapping.start);
        let module = match same {
            Some(module) => module,
            None => {
                modules.push(Module {
                    path: mapping.path,
                    start: mapping.start,
                    end: mapping.end,
                    code_start: 0,
                    code_offset: 0,
                    version: None,
                });
                modules.last_mut().expect("one was just added")
            }
        };
        module.end = mapping.end;
        if mapping.code && module.code_start == 0 {
            module.code_start = mapping.start;
            module.code_offset = mapping.offset;
        }
    }
    modules.retain(|module| module.code_start != 0);
    modules
}

/// One line of `/proc/PID/maps` that names a file.
struct Mapping {
    start: u64,
    end: u64,
    offset: u64,
    code: bool,
    path: PathBuf,
}

impl Mapping {
    /// `START-END PERMISSIONS OFFSET DEVICE INODE   PATH`, numbers in hexadecimal.
    fn parse(line: &str) -> Option<Self> {
        let path = &line[line.find('/')?..];
        let path = path.strip_suffix(" (deleted)").unwrap_or(path);
        let mut fields = line.split_whitespace();
        let (start, end) = fields.next()?.split_once('-')?;
        let code = fields.next()?.contains('x');
        let number = |text| u64::from_str_radix(text, 16).ok();
        Some(Self {
            start: number(start)?,
            end: number(end)?,
            offset: number(fields.next()?)?,
            code,
            path: path.into(),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::parse;

    #[test]
    fn files_with_code_are_modules() {
        let maps = "\
            5500-5600 r--p 00000000 fe:00 12   /t/my app\n\
            5600-5800 r-xp 00100000 fe:00 12   /t/my app\n\
            5800-5900 rw-p 00300000 fe:00 12   /t/my app\n\
            5900-5a00 rw-p 00000000 00:00 0    [heap]\n\
            7000-7100 r--s 00000000 fe:00 13   /t/data\n\
            7f00-8000 r-xp 00000000 fe:00 14   /t/v1.so (deleted)\n\
            8000-8100 r-xp 00000000 fe:00 15   /t/v2.so\n";
        let found = parse(maps).into_iter().map(|module| {
            let path = module.path.display().to_string();
            (
                path,
                module.start,
                module.end,
                module.code_start,
                module.code_offset,
            )
        });
        assert_eq!(
            found.collect::<Vec<_>>(),
            [
                ("/t/my app".to_owned(), 0x5500, 0x5900, 0x5600, 0x10_0000),
                ("/t/v1.so".to_owned(), 0x7f00, 0x8000, 0x7f00, 0),
                ("/t/v2.so".to_owned(), 0x8000, 0x8100, 0x8000, 0),
            ]
        );
    }
}
