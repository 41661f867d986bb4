//! Making an image: objects of the members, rewritten and linked into one shared object.

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet, VecDeque};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::sync::Mutex;

use anyhow::{Context, Result, bail};
use hotswap_object::Bindings;
use hotswap_protocol::build_id::BuildId;
use hotswap_protocol::{checksum, manifest};

use crate::facts::on_all_processors;
use crate::unit::{ObjectFile, Unit};
use lld::Export;

pub mod lld;
pub mod renamed;
pub mod state;
pub mod support;
pub mod wishes;

/// How many image files stay on disk for debuggers and backtraces.
const KEPT_IMAGES: usize = 64;

/// What images hold for debuggers and backtraces, besides the names of functions.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum DebugInfo {
    /// All that the compiler wrote.
    Full,
    /// Lines and inlined calls.
    Lines,
    /// Nothing.
    None,
}

/// What an image takes of an object.
#[derive(Debug, Clone)]
pub struct Part {
    /// The object.
    pub object: ObjectFile,
    /// Its sections, by index; `None` is all of it.
    pub sections: Option<BTreeSet<usize>>,
    /// Those of them that nothing uses, because the host's take their place.
    pub hollow: BTreeSet<usize>,
}

impl Part {
    /// All of an object.
    pub fn whole(object: ObjectFile) -> Self {
        Self {
            object,
            sections: None,
            hollow: BTreeSet::new(),
        }
    }

    /// Tells it from other parts of other objects.
    fn digest(&self) -> u128 {
        let mut digest = xxhash_rust::xxh3::Xxh3::new();
        digest.update(&self.object.digest.to_le_bytes());
        for sections in [self.sections.as_ref(), Some(&self.hollow)] {
            for section in sections.into_iter().flatten() {
                digest.update(&section.to_le_bytes());
            }
            digest.update(&[0]);
        }
        digest.digest128()
    }
}

/// A linked image.
#[derive(Debug)]
pub struct Linked {
    /// What the manifest says of it.
    pub manifest: manifest::Image,
    /// Its bytes.
    pub bytes: Vec<u8>,
}

/// Makes the images of one program, one after the other, in a folder of its own.
#[derive(Debug)]
pub struct Images {
    folder: PathBuf,
    linker: lld::Linker,
    /// Rewritten objects on disk, by digest of the part and of the bindings it was made with.
    rewritten: HashMap<(u128, u128), PathBuf>,
    /// Images on disk, the oldest first.
    images: VecDeque<PathBuf>,
    debug: DebugInfo,
}

impl Images {
    /// Images of these units that are written to this folder. Debug information makes the linker and the
    /// program read more.
    ///
    /// # Errors
    ///
    /// No linker was found, or the folder can't be written.
    pub fn new(folder: PathBuf, units: &[Unit], debug: DebugInfo) -> Result<Self> {
        std::fs::create_dir_all(&folder)
            .with_context(|| format!("could not make {}", folder.display()))?;
        let rustc = units.last().and_then(|unit| unit.capture.program.last());
        let rustc = rustc.map_or("rustc", String::as_str);
        let strips = debug == DebugInfo::None;
        let linker = lld::Linker::find(rustc, &folder, strips)?;
        Ok(Self {
            folder,
            linker,
            rewritten: HashMap::new(),
            images: VecDeque::new(),
            debug,
        })
    }

    /// Whether images hold what only a debugger wants.
    pub fn are_for_debuggers(&self) -> bool {
        self.debug == DebugInfo::Full
    }

    /// An image may soon be linked.
    pub fn start_early(&mut self) {
        self.linker.start_early();
    }

    /// The file for the image of a version. Where there was one that did not go live, another: a file
    /// that may have been mapped is never written again.
    fn path(&self, version: u64) -> PathBuf {
        let name = |attempt: u32| match attempt {
            1 => format!("v{version}.so"),
            more => format!("v{version}.{more}.so"),
        };
        let paths = (1..).map(|attempt| self.folder.join(name(attempt)));
        let unused = |path: &PathBuf| !path.exists() && !self.images.contains(path);
        paths
            .into_iter()
            .find(unused)
            .expect("there are more numbers than files")
    }

    /// Rewrites and links these parts of objects into the image of this version.
    ///
    /// # Errors
    ///
    /// An instruction can't be rewritten, or the linker refuses; the text names symbol and place.
    pub fn link(
        &mut self,
        version: u64,
        parts: &[Part],
        bindings: &Bindings,
        libraries: &[PathBuf],
        exports: &[Export],
    ) -> Result<Linked> {
        let parts = parts.iter();
        let parts: Vec<&Part> = parts
            .filter(|part| !is_allocator_shim(&part.object))
            .collect();
        let inputs = self.rewrite(&parts, bindings, exports)?;
        let path = self.path(version);
        self.images.push_back(path.clone());
        if self.images.len() > KEPT_IMAGES
            && let Some(old) = self.images.pop_front()
        {
            // It stays mapped as long as it is in use; only its name goes.
            let _ = std::fs::remove_file(old);
        }
        self.linker
            .link_shared(&inputs, libraries, exports, &path)?;
        make_private(&path)?;
        let mut linked = describe(&path)?;
        linked.manifest.shared = !exports.is_empty();
        Ok(linked)
    }

    /// The parts as they go into the link.
    fn rewrite(
        &mut self,
        parts: &[&Part],
        bindings: &Bindings,
        exports: &[Export],
    ) -> Result<Vec<PathBuf>> {
        let key = digest_bindings(bindings, exports);
        let done: Mutex<BTreeMap<usize, Result<PathBuf>>> = Mutex::new(BTreeMap::new());
        let (folder, known, debug) = (&self.folder, &self.rewritten, self.debug);
        let digests: Vec<u128> = parts.iter().map(|part| part.digest()).collect();
        on_all_processors(parts.len(), |at| {
            let result = match known.get(&(digests[at], key)) {
                Some(path) => Ok(path.clone()),
                None => {
                    let path = folder.join(format!("{:032x}{key:032x}.o", digests[at]));
                    let exporting = !exports.is_empty();
                    rewrite_one(parts[at], bindings, exporting, debug, &path).map(|()| path)
                }
            };
            done.lock()
                .unwrap_or_else(std::sync::PoisonError::into_inner)
                .insert(at, result);
        });
        let done = done
            .into_inner()
            .unwrap_or_else(std::sync::PoisonError::into_inner);
        let paths: Vec<PathBuf> = done.into_values().collect::<Result<_>>()?;
        let now = digests
            .iter()
            .zip(&paths)
            .map(|(digest, path)| ((*digest, key), path.clone()));
        let before = std::mem::replace(&mut self.rewritten, now.collect());
        for path in before.values().filter(|path| !paths.contains(path)) {
            // What stays behind only takes room until the run's folder goes.
            let _ = std::fs::remove_file(path);
        }
        Ok(paths)
    }

    /// Where rewritten objects and images stand.
    pub fn folder(&self) -> &Path {
        &self.folder
    }

    /// The linker.
    pub fn linker(&self) -> &lld::Linker {
        &self.linker
    }
}

fn rewrite_one(
    part: &Part,
    bindings: &Bindings,
    exporting: bool,
    debug: DebugInfo,
    path: &Path,
) -> Result<()> {
    let object = &part.object;
    let sliced = match &part.sections {
        Some(sections) => hotswap_object::slice(&object.bytes, sections, &part.hollow)
            .with_context(|| format!("no part of {} can be taken", object.name))?,
        None => None,
    };
    let original = sliced.as_deref().unwrap_or(&object.bytes);
    // What is exported must have a name that the linker sees.
    let exposed = if exporting {
        hotswap_object::expose(original)?
    } else {
        None
    };
    let original = exposed.as_deref().unwrap_or(original);
    let rewritten = hotswap_object::rewrite(original, bindings)
        .with_context(|| format!("the object file {} can't be patched in", object.name))?;
    let bytes = rewritten.bytes.as_deref().unwrap_or(original);
    let thinned = match debug {
        DebugInfo::Lines => hotswap_object::thin(bytes)?,
        // The linker strips all.
        DebugInfo::Full | DebugInfo::None => None,
    };
    std::fs::write(path, thinned.as_deref().unwrap_or(bytes))
        .with_context(|| format!("could not write {}", path.display()))
}

/// The allocator's entry points and `main`'s wrapper for the allocator belong to the host alone.
fn is_allocator_shim(object: &ObjectFile) -> bool {
    object.name.contains("-alloc") || object.name.starts_with("symbols.o")
}

fn digest_bindings(bindings: &Bindings, exports: &[Export]) -> u128 {
    let mut symbols: Vec<String> = bindings
        .symbols
        .iter()
        .map(|(symbol, binding)| format!("{symbol} {binding:?}"))
        .collect();
    symbols.extend(bindings.dropped_initialisers.iter().cloned());
    symbols.extend(exports.iter().map(|export| export.name.clone()));
    symbols.sort();
    xxhash_rust::xxh3::xxh3_128(symbols.join("\n").as_bytes())
}

/// Takes a file's access from everybody but its owner, as the runtime demands.
fn make_private(path: &Path) -> Result<()> {
    std::fs::set_permissions(path, std::fs::Permissions::from_mode(0o600))
        .with_context(|| format!("could not make {} private", path.display()))
}

/// Reads back what the linker wrote.
///
/// # Errors
///
/// The file can't be read or has no build id.
pub fn describe(path: &Path) -> Result<Linked> {
    use object::Object;
    let bytes =
        std::fs::read(path).with_context(|| format!("could not read {}", path.display()))?;
    let elf = object::read::elf::ElfFile64::<object::Endianness>::parse(bytes.as_slice())
        .with_context(|| format!("the linker wrote no object to {}", path.display()))?;
    let Some(build_id) = elf.build_id()?.and_then(|id| BuildId::from_bytes(id).ok()) else {
        bail!("the linker gave {} no build id", path.display());
    };
    let manifest = manifest::Image {
        path: path.to_owned(),
        size: bytes.len() as u64,
        build_id,
        checksum: checksum::checksum(&bytes),
        shared: false,
    };
    Ok(Linked { manifest, bytes })
}

/// Symbols that an image needs and nothing provides, demangled. `exported` says what the host
/// provides; what a shared library provides carries a version and is not asked for.
///
/// # Errors
///
/// The image is damaged.
pub fn missing_symbols(
    image: &[u8],
    exported: impl Fn(&str) -> bool,
    also: &HashSet<String>,
) -> Result<Vec<String>> {
    use object::read::elf::{FileHeader, Sym};
    let header = object::elf::FileHeader64::<object::Endianness>::parse(image)?;
    let endian = header.endian()?;
    let sections = header.sections(endian, image)?;
    let symbols = sections.symbols(endian, image, object::elf::SHT_DYNSYM)?;
    let versions = sections.versions(endian, image)?;
    let mut missing = Vec::new();
    for (index, symbol) in symbols.enumerate() {
        if !symbol.is_undefined(endian) || symbol.st_bind() == object::elf::STB_WEAK {
            continue;
        }
        let name = symbol.name(endian, symbols.strings())?;
        let name = std::str::from_utf8(name).context("a symbol's name is not UTF-8")?;
        let versioned = versions.as_ref().is_some_and(|versions| {
            versions
                .version(versions.version_index(endian, index))
                .is_ok_and(|v| v.is_some())
        });
        if !name.is_empty() && !versioned && !exported(name) && !also.contains(name) {
            missing.push(name.to_owned());
        }
    }
    Ok(missing)
}
