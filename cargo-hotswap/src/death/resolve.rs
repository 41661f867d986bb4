//! From a program's last word to the functions that were under way.
//!
//! The process is gone by then. What is left are three registers, a part of the stack, and the
//! files that its code came from: their unwind tables lead from frame to frame, their symbols and
//! line tables give the names.

use std::collections::BTreeMap;
use std::path::Path;

use addr2line::Loader;
use framehop::x86_64::{CacheX86_64, UnwindRegsX86_64, UnwinderX86_64};
use framehop::{ExplicitModuleSectionInfo, Unwinder};
use hotswap_protocol::crash::CrashHeader;
use object::read::elf::ElfFile64;
use object::{Object, ObjectSection};

use super::code::{Code, Module};
use super::{Fault, Frame};

/// The most frames that are told: a recursion has no end.
const MAX_FRAMES: usize = 64;

/// `si_code` of a fault about which the system knows no address.
const SI_KERNEL: i32 = 0x80;

/// What a last word says about a program that `signal` ended; none if there is no last word, or
/// one about another signal, which the program lived through. Paths below `folder` are shortened.
pub fn fault(last_word: &[u8], signal: i32, code: &Code, folder: &Path) -> Option<Fault> {
    let (header, stack) = CrashHeader::parse(last_word)?;
    let is_access = [libc::SIGSEGV, libc::SIGBUS].contains(&header.signal);
    // The standard library aborts after a stack overflow.
    if header.signal != signal && !(is_access && signal == libc::SIGABRT) {
        return None;
    }
    let told = is_access && header.code > 0 && header.code != SI_KERNEL;
    let mut names = Names::new(folder);
    let mut frames = Vec::new();
    for address in unwind(&header, stack, code) {
        match code.at(address) {
            Some(module) => frames.extend(names.at(module, address)),
            None => frames.push(Frame::default()),
        }
        if frames.len() >= MAX_FRAMES {
            frames.truncate(MAX_FRAMES);
            break;
        }
    }
    Some(Fault {
        address: told.then(|| format!("{:#x}", header.address)),
        frames,
    })
}

/// The addresses of the calls under way, the innermost first.
fn unwind(header: &CrashHeader, stack: &[u8], code: &Code) -> Vec<u64> {
    let mut unwinder = UnwinderX86_64::<Vec<u8>>::new();
    for module in &code.modules {
        if let Some(module) = unwind_tables(module) {
            unwinder.add_module(module);
        }
    }
    let mut read_stack = |address: u64| {
        let at = usize::try_from(address.checked_sub(header.sp).ok_or(())?).map_err(|_| ())?;
        let word = stack
            .get(at..at + 8)
            .and_then(|bytes| bytes.try_into().ok());
        word.map(u64::from_le_bytes).ok_or(())
    };
    let registers = UnwindRegsX86_64::new(header.ip, header.sp, header.bp);
    let mut cache = CacheX86_64::<_>::new();
    let mut frames = unwinder.iter_frames(header.ip, registers, &mut cache, &mut read_stack);
    let mut addresses = Vec::new();
    // Where the way is lost, the rest is not told.
    while let Ok(Some(frame)) = frames.next() {
        addresses.push(frame.address_for_lookup());
        if addresses.len() == MAX_FRAMES {
            break;
        }
    }
    addresses
}

/// The tables that lead out of a module's functions.
fn unwind_tables(module: &Module) -> Option<framehop::Module<Vec<u8>>> {
    let bytes = std::fs::read(&module.path).ok()?;
    let file = ElfFile64::parse(bytes.as_slice()).ok()?;
    let bias = module.bias(&file).ok()?;
    let section = |name: &str| {
        let section = file.section_by_name(name)?;
        let range = section.address()..section.address() + section.size();
        Some((range, section.data().ok()?.to_vec()))
    };
    let (text_svma, text) = section(".text").unzip();
    let (eh_frame_svma, eh_frame) = section(".eh_frame").unzip();
    let (eh_frame_hdr_svma, eh_frame_hdr) = section(".eh_frame_hdr").unzip();
    let sections = ExplicitModuleSectionInfo {
        base_svma: 0,
        text_svma,
        text,
        eh_frame_svma,
        eh_frame,
        eh_frame_hdr_svma,
        eh_frame_hdr,
        ..ExplicitModuleSectionInfo::default()
    };
    let name = module.path.display().to_string();
    let range = module.start..module.end;
    Some(framehop::Module::new(name, range, bias, sections))
}

/// Names of functions by address, from files that are read when they are first asked.
struct Names<'a> {
    folder: &'a Path,
    files: BTreeMap<u64, Option<(u64, Loader)>>,
}

impl<'a> Names<'a> {
    fn new(folder: &'a Path) -> Self {
        Self {
            folder,
            files: BTreeMap::new(),
        }
    }

    /// The functions at an address: several if some were inlined into others, the innermost first.
    fn at(&mut self, module: &Module, address: u64) -> Vec<Frame> {
        let file = self
            .files
            .entry(module.start)
            .or_insert_with(|| open(module));
        let frame = |function, location| Frame {
            function,
            module: module
                .path
                .file_name()
                .map_or_else(String::new, |name| name.to_string_lossy().into_owned()),
            version: module.version,
            location,
        };
        let Some((bias, loader)) = file else {
            return vec![frame(None, None)];
        };
        let address = address.wrapping_sub(*bias);
        let mut found = Vec::new();
        if let Ok(mut inlined) = loader.find_frames(address) {
            while let Ok(Some(one)) = inlined.next() {
                let name = one.function.as_ref().and_then(|name| name.raw_name().ok());
                let location = one.location.and_then(|place| {
                    let file = Path::new(place.file?);
                    let file = file.strip_prefix(self.folder).unwrap_or(file);
                    Some(format!("{}:{}", file.display(), place.line?))
                });
                let function = name.map(|name| shown(&name));
                found.push(frame(function, location));
            }
        }
        if found.is_empty() {
            found.push(frame(None, None));
        }
        // A patch's debug information names the functions that were inlined, and this one not.
        if let Some(outermost) = found.last_mut()
            && outermost.function.is_none()
        {
            outermost.function = loader.find_symbol(address).map(shown);
        }
        found
    }
}

fn open(module: &Module) -> Option<(u64, Loader)> {
    let bytes = std::fs::read(&module.path).ok()?;
    let bias = module
        .bias(&ElfFile64::parse(bytes.as_slice()).ok()?)
        .ok()?;
    Some((bias, Loader::new(&module.path).ok()?))
}

/// A function's path by its symbol; closures and async bodies are counted to the function they
/// stand in.
fn shown(symbol: &str) -> String {
    let path = hotswap_object::canonical_path(symbol);
    let mut path = path.as_str();
    while let Some(at) = path.rfind("::{").filter(|_| path.ends_with('}')) {
        path = &path[..at];
    }
    path.to_owned()
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use hotswap_protocol::crash::CrashHeader;

    use super::{fault, shown};
    use crate::death::code::Code;

    #[test]
    fn closures_are_counted_to_their_functions() {
        for (symbol, expected) in [
            ("main", "main"),
            ("_RNCNvCs5_3app6answer0", "app::answer"),
            ("_RNCNCNvCs5_3app6answer00", "app::answer"),
        ] {
            assert_eq!(shown(symbol), expected);
        }
    }

    #[test]
    fn a_last_word_about_something_else_is_none() {
        let code = Code::new(0, Path::new("/nowhere"), Path::new("/nowhere"));
        let word = |signal, code| CrashHeader {
            signal,
            code,
            address: 8,
            ..CrashHeader::default()
        };
        for (told, code_of, ended_by, expected) in [
            (11, 1, 11, Some(Some("0x8"))),
            (11, 1, 6, Some(Some("0x8"))),
            (11, 0x80, 11, Some(None)),
            (6, -6, 6, Some(None)),
            (11, 1, 9, None),
            (8, 1, 11, None),
        ] {
            let word = word(told, code_of).to_bytes();
            let fault = fault(&word, ended_by, &code, Path::new("/"));
            let address = fault.map(|fault| fault.address);
            let address = address.as_ref().map(Option::as_deref);
            assert_eq!(address, expected, "{told} {code_of} {ended_by}");
        }
        assert_eq!(fault(b"", 11, &code, Path::new("/")), None);
    }
}
