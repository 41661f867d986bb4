//! Names what refers to an image: threads, statics, places in the heap with what lies around them.

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::os::unix::ffi::OsStrExt as _;
use std::os::unix::fs::FileExt as _;
use std::path::{Path, PathBuf};

use hotswap_protocol::purge::{Holder, HolderKind};

use super::symbols::Symbols;
use crate::engine::loaded::{self, Object};
use crate::engine::version::old::Candidate;
use crate::purge::Found;

/// Holders beyond these are not told.
const LIMIT: usize = 64;

/// Words before and after one in the heap that are looked at.
const AROUND: u64 = 8;

/// What is needed to name addresses.
struct Names {
    objects: Vec<Object>,
    symbols: BTreeMap<PathBuf, Symbols>,
    memory: Option<File>,
}

/// Names all, those of one place once.
pub(super) fn name(candidate: &Candidate, found: &[Found]) -> Vec<Holder> {
    if found.is_empty() {
        return Vec::new();
    }
    let mut names = Names {
        objects: loaded::objects(),
        symbols: BTreeMap::new(),
        memory: File::open("/proc/self/mem").ok(),
    };
    let mut holders: Vec<Holder> = Vec::new();
    for found in found {
        let holder = names.holder(candidate, found);
        let same = |known: &&mut Holder| {
            known.kind == holder.kind
                && known.thread == holder.thread
                && known.symbol == holder.symbol
                && known.name == holder.name
                && known.to == holder.to
        };
        if let Some(known) = holders.iter_mut().find(same) {
            known.words += 1;
        } else if holders.len() < LIMIT {
            holders.push(holder);
        }
    }
    holders
}

impl Names {
    fn holder(&mut self, candidate: &Candidate, found: &Found) -> Holder {
        let mut holder = match (found.thread, found.at) {
            (Some(thread), at) => {
                let kind = if at == 0 {
                    HolderKind::Register
                } else {
                    HolderKind::Stack
                };
                let mut holder = Holder::new(kind, thread_name(thread));
                holder.thread = Some(thread);
                holder
            }
            (None, at) => match self.symbol(at) {
                Some((file, symbol)) => {
                    let name = file.display().to_string();
                    let mut holder = Holder::new(HolderKind::Static, name);
                    holder.symbol = Some(symbol);
                    holder
                }
                None => {
                    let mut holder = Holder::new(HolderKind::Memory, found.mapping.clone());
                    holder.near = self.near(at);
                    holder
                }
            },
        };
        holder.address = found.at;
        holder.words = 1;
        let to = (candidate.range.start as u64).wrapping_add(u64::from(found.to));
        let symbol = self.symbol_of(&candidate.path, u64::from(found.to));
        let symbol = symbol.or_else(|| self.symbol(to).map(|(_, symbol)| symbol));
        holder.to = symbol.or_else(|| Some(format!("{:#x}", found.to)));
        holder
    }

    /// The file and symbol at an address.
    fn symbol(&mut self, address: u64) -> Option<(PathBuf, String)> {
        let address = usize::try_from(address).ok()?;
        let object = self.objects.iter().position(|object| {
            object.segments.iter().any(|segment| {
                let start = object.base.wrapping_add(segment.address as usize);
                segment.kind == 1 && address.wrapping_sub(start) < segment.memory_bytes as usize
            })
        })?;
        let Object { name, base, .. } = &self.objects[object];
        let relative = address.wrapping_sub(*base) as u64;
        let path = match (object, name.as_slice()) {
            (0, _) => fs::read_link("/proc/self/exe").ok()?,
            (_, name) => PathBuf::from(std::ffi::OsStr::from_bytes(name)),
        };
        let symbol = self.symbol_of(&path, relative)?;
        Some((path, symbol))
    }

    fn symbol_of(&mut self, path: &Path, address: u64) -> Option<String> {
        let symbols = self.symbols.entry(path.to_owned());
        symbols.or_insert_with(|| Symbols::read(path)).at(address)
    }

    /// What the words around an address refer to.
    fn near(&mut self, at: u64) -> Vec<String> {
        let mut near = Vec::new();
        let start = at.saturating_sub(AROUND * 8);
        let mut bytes = [0; (AROUND * 16 + 8) as usize];
        let Some(memory) = &self.memory else {
            return near;
        };
        if memory.read_exact_at(&mut bytes, start).is_err() {
            return near;
        }
        let (words, _) = bytes.as_chunks::<8>();
        for word in words {
            if let Some((_, symbol)) = self.symbol(u64::from_ne_bytes(*word))
                && !near.contains(&symbol)
            {
                near.push(symbol);
            }
        }
        near
    }
}

fn thread_name(thread: i32) -> String {
    let name = fs::read_to_string(format!("/proc/self/task/{thread}/comm"));
    name.map(|name| name.trim_end().to_owned())
        .unwrap_or_default()
}
