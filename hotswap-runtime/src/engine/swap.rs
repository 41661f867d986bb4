//! The transaction that makes a patch current: prepare, then commit or abort.
//!
//! Each half is a list of steps in one function. Prepare only checks and loads: dropping its result
//! undoes it. Commit can fail only while it makes new values of cells; then all is as it was.

use std::fs::File;
use std::time::{Duration, Instant};

use hotswap_protocol::build_id::BuildId;
use hotswap_protocol::hook::When;
use hotswap_protocol::manifest::{Entry, Image, Manifest, ManifestError, Side};
use hotswap_protocol::message::{CommitReport, ErrorCode, PrepareReport};

use crate::engine::backtrace::{self, BacktraceError};
use crate::engine::elf::Use;
use crate::engine::fork;
use crate::engine::hooks::{Hooks, NoCode};
use crate::engine::image::memory::{in_memory, path_of};
use crate::engine::image::{CheckedImage, ImageError, LoadedImage, Visibility};
use crate::engine::loaded::{self, Loaded};
use crate::engine::state::{self, AssembledState, PreparedState, StateError};
use crate::engine::version::in_use::{self, StillInUse};
use crate::engine::version::{self, Loading, Origin, Version};
use crate::entry::Descriptor;
use crate::on_panic;
use crate::on_swap::{self, Swap};
use crate::table::{self, EntryBinding, PreparedTable, RegisterError};
use crate::transaction::Aborted;

/// Why a patch was not prepared. The program is as it was.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub(crate) enum SwapError {
    #[error(transparent)]
    Manifest(#[from] ManifestError),
    #[error(
        "the patch is for the executable with build id {expected}, this process runs {}: \
         rebuild the patch or restart the program",
        found.as_ref().map_or("one without build id", BuildId::as_str)
    )]
    WrongHost {
        expected: BuildId,
        found: Option<BuildId>,
    },
    #[error(transparent)]
    Image(#[from] ImageError),
    #[error("entry `{entry}`: {side} has no {role} at {address:#x}")]
    Address {
        entry: String,
        side: Side,
        role: &'static str,
        address: u64,
    },
    #[error(transparent)]
    Register(#[from] RegisterError),
    #[error(transparent)]
    State(#[from] StateError),
    #[error(transparent)]
    NoHook(#[from] NoCode),
    #[error("{0}")]
    OnLoad(String),
    #[error(transparent)]
    InUse(#[from] StillInUse),
}

impl SwapError {
    /// The protocol's name for the failure.
    pub(crate) fn code(&self) -> ErrorCode {
        match self {
            Self::Manifest(_) | Self::Address { .. } | Self::NoHook(_) => ErrorCode::BadManifest,
            Self::OnLoad(_) => ErrorCode::OnLoadFailed,
            Self::InUse(_) => ErrorCode::VersionInUse,
            Self::WrongHost { .. } => ErrorCode::WrongHost,
            Self::Image(error) => error.code(),
            Self::Register(_) => ErrorCode::EntriesRefused,
            Self::State(error) => error.code(),
        }
    }
}

/// A patch that is loaded and can be committed. Dropping it aborts.
pub(crate) struct Prepared {
    // Fields drop in this order: table and state refer to the image.
    table: PreparedTable,
    state: PreparedState,
    brought: Brought,
    loading: Loading,
    origin: Origin,
    hooks: Hooks,
    /// What to say of older versions.
    remark: Option<String>,
    report: PrepareReport,
    backtrace: Result<(), BacktraceError>,
}

/// What a patch has brought into memory. If it is dropped, that goes too, unless its code has run.
struct Brought {
    number: u64,
    // The image refers to its support.
    version: Option<Version>,
    support: Vec<LoadedImage>,
    has_run: bool,
}

impl Brought {
    /// The version, for good.
    fn take(mut self) -> (Option<Version>, Vec<LoadedImage>) {
        self.has_run = false;
        (self.version.take(), std::mem::take(&mut self.support))
    }
}

impl Drop for Brought {
    fn drop(&mut self) {
        if !self.has_run {
            return;
        }
        // Something may refer to the code by now.
        let (version, support) = (self.version.take(), std::mem::take(&mut self.support));
        fork::undivided(|| version::old::is_refused(version, support));
    }
}

/// Checks and loads a patch without any visible effect.
pub(crate) fn prepare(manifest: &Manifest) -> Result<Prepared, SwapError> {
    prepare_from(manifest, None)
}

/// The same; images are in these files, if they are given, and not where the manifest says.
pub(crate) fn prepare_from(
    manifest: &Manifest,
    files: Option<Vec<File>>,
) -> Result<Prepared, SwapError> {
    let started = Instant::now();
    manifest.validate()?;
    let host = check_host(&manifest.host.build_id)?;
    let base_entries = bind(&manifest.base_entries, host, Side::Base)?;
    state::announce(manifest, host)?;
    let statics = manifest.host.backtrace.as_ref();
    let backtrace = statics.map_or(Ok(()), |statics| backtrace::locate(statics, host));
    let checked = CheckedFiles::open(manifest, files)?;
    let check_us = micros(started.elapsed());

    let started = Instant::now();
    let (support, image) = checked.load()?;
    let image_entries = match &image {
        Some(image) => bind(&manifest.image_entries, &image.loaded, Side::Image)?,
        None => Vec::new(),
    };
    let (number, table) = fork::undivided(|| {
        table::register_host(base_entries)?;
        let number = version::next_number();
        let gone = manifest.gone.iter().cloned().collect();
        Ok::<_, SwapError>((number, table::prepare(number, image_entries, gone)?))
    })?;
    let loaded = image.as_ref().map(|image| &image.loaded);
    let current = fork::undivided(version::cells_of_current);
    let state = state::prepare(manifest, host, loaded, (&current, number))?;
    let base_cells = state::base_cells(manifest, host)?;
    let hooks = Hooks::bind(&manifest.hooks, host, loaded)?;
    let base_hooks = Hooks::bind(&manifest.base_hooks, host, None)?;
    fork::undivided(|| version::set_host_facts(base_cells, base_hooks));
    let changes = table.report();
    let report = PrepareReport {
        replaced: changes.replaced,
        added: changes.added,
        reshaped: changes.reshaped,
        carried: changes.carried,
        check_us,
        load_us: micros(started.elapsed()),
    };
    let version = Version::loading(number, manifest.label.clone(), image);
    let version = version.with_facts(state.cells(), hooks.clone());
    let mut prepared = Prepared {
        brought: Brought {
            number,
            version: Some(version),
            support,
            has_run: false,
        },
        loading: Loading::tell(number),
        origin: manifest.back.clone().into(),
        table,
        state,
        hooks,
        remark: None,
        report,
        backtrace,
    };
    prepared.remark = in_use::before_load()?;
    prepared.ask_itself()?;
    in_use::end()?;
    Ok(prepared)
}

impl Prepared {
    /// The number the version will have.
    pub(crate) fn version(&self) -> u64 {
        self.brought.number
    }

    /// It comes from a patch file.
    pub(crate) fn mark_of_patch(&mut self) {
        if let Some(version) = &mut self.brought.version {
            version.mark_of_patch();
        }
    }

    /// Lets the new code say whether it can be loaded.
    fn ask_itself(&mut self) -> Result<(), SwapError> {
        let ran = self.hooks.run(When::OnLoad, swap_to(self.version()));
        self.brought.has_run = ran.any;
        match ran.failures.is_empty() {
            true => Ok(()),
            false => Err(SwapError::OnLoad(ran.failures.join("; "))),
        }
    }

    /// What a commit will change.
    pub(crate) fn report(&self) -> &PrepareReport {
        &self.report
    }

    /// Makes the patch current.
    ///
    /// # Errors
    ///
    /// A cell's new value could not be made. All cells have their old ones, and nothing is loaded.
    pub(crate) fn commit(self) -> Result<CommitReport, Aborted> {
        let started = Instant::now();
        let Self {
            table,
            state,
            brought,
            loading,
            origin,
            hooks,
            remark,
            report,
            backtrace,
        } = self;
        let number = brought.number;
        let mut warnings = before_swap(number);
        warnings.extend(remark);
        let state = match state.assemble() {
            Ok(state) => state,
            Err(aborted) => {
                if let Aborted::Stuck(_) = aborted {
                    // A thread runs code of the image, and may do so for ever.
                    std::mem::forget(brought);
                    loading.stays();
                }
                return Err(aborted);
            }
        };
        // Names first: the first call of the new version may already print them.
        let backtrace = backtrace.and_then(|()| backtrace::refresh());
        let (version, support) = brought.take();
        let mut done = flip(state, (number, &hooks), started, || {
            match origin {
                Origin::Edit(_) => on_panic::watch(number),
                Origin::Revert(_) => on_panic::unwatch(),
            }
            if let Some(version) = version {
                version::commit(version, origin, support, || table::publish(table));
            }
        });
        loading.stays();
        done.load_us = report.check_us + report.load_us;
        warnings.extend(backtrace.err().map(lacking_names));
        done.warnings.splice(0..0, warnings);
        Ok(done)
    }
}

/// A swap from the version that is current.
fn swap_to(number: u64) -> Swap {
    Swap {
        from: table::current_version(),
        to: number,
    }
}

/// Runs the functions of the current version that it has for the time before this one takes over, and tells
/// what went wrong.
pub(super) fn before_swap(number: u64) -> Vec<String> {
    let hooks = fork::undivided(|| version::hooks_of(table::current_version()));
    hooks.run(When::BeforeSwap, swap_to(number)).failures
}

/// Makes a version current whose values stand, and runs its functions and the callbacks; `publish` moves the
/// entries.
pub(super) fn flip(
    state: AssembledState,
    (number, hooks): (u64, &Hooks),
    started: Instant,
    publish: impl FnOnce(),
) -> CommitReport {
    let swap = swap_to(number);
    let mut flip_us = 0;
    let done = state.commit(|| {
        publish();
        flip_us = micros(started.elapsed());
    });
    let mut warnings = done.warnings;
    warnings.extend(hooks.run(When::AfterSwap, swap).failures);
    CommitReport {
        load_us: 0,
        flip_us,
        pause_us: micros(done.pause),
        migrated: done.values,
        callback_failures: on_swap::run(swap),
        warnings,
    }
}

/// The running executable, if it is the one the patch is for.
fn check_host(expected: &BuildId) -> Result<&'static Loaded, SwapError> {
    let host = loaded::executable();
    let found = host.and_then(|host| host.build_id.as_ref());
    match host {
        Some(host) if found == Some(expected) => Ok(host),
        _ => Err(SwapError::WrongHost {
            expected: expected.clone(),
            found: found.cloned(),
        }),
    }
}

/// Puts the images of a patch into files without a path, which nobody can change, and names these in the
/// manifest.
pub(crate) fn files_in_memory(
    manifest: &mut Manifest,
    images: &[&[u8]],
) -> Result<Vec<File>, ImageError> {
    let named = manifest.support.iter_mut().chain(&mut manifest.image);
    let files = named.zip(images).map(|(image, bytes)| {
        let file = in_memory(image, bytes)?;
        image.path = path_of(&file);
        Ok(file)
    });
    files.collect()
}

/// The patch's files, all checked before the first is loaded.
struct CheckedFiles {
    support: Vec<CheckedImage>,
    image: Option<CheckedImage>,
}

impl CheckedFiles {
    /// Opens what the manifest names; where there are files, one for each image, these.
    fn open(manifest: &Manifest, files: Option<Vec<File>>) -> Result<Self, ImageError> {
        let mut files = files.map(Vec::into_iter);
        // They come in the order of the images, whether these are needed or not.
        let mut file = || files.as_mut().and_then(Iterator::next);
        let open = |image: &Image, file| match file {
            Some(file) => CheckedImage::of_memory(image, file),
            None => CheckedImage::open(image),
        };
        let mut support = Vec::new();
        for image in &manifest.support {
            let file = file();
            if !version::has_support(&image.build_id) {
                support.push(open(image, file)?);
            }
        }
        let image = manifest.image.as_ref();
        let image = image.map(|image| open(image, file())).transpose()?;
        Ok(Self { support, image })
    }

    fn load(self) -> Result<(Vec<LoadedImage>, Option<LoadedImage>), ImageError> {
        let Self { support, image } = self;
        let support = support
            .into_iter()
            .map(|image| image.load(Visibility::Shared))
            .collect::<Result<Vec<_>, _>>()?;
        let image = image
            .map(|image| {
                let visibility = match image.shared {
                    true => Visibility::Shared,
                    false => Visibility::Private,
                };
                image.load(visibility)
            })
            .transpose()?;
        Ok((support, image))
    }
}

/// The entries with their addresses in this process.
fn bind(entries: &[Entry], file: &Loaded, side: Side) -> Result<Vec<EntryBinding>, SwapError> {
    entries
        .iter()
        .map(|entry| bind_entry(entry, file, side))
        .collect()
}

fn bind_entry(entry: &Entry, file: &Loaded, side: Side) -> Result<EntryBinding, SwapError> {
    let outside = |role, address| SwapError::Address {
        entry: entry.path.clone(),
        side,
        role,
        address,
    };
    let descriptor = file
        .address(entry.descriptor, size_of::<Descriptor>() as u64, Use::State)
        .filter(|descriptor| descriptor.cast::<Descriptor>().is_aligned())
        .ok_or_else(|| outside("descriptor", entry.descriptor))?;
    let body = file
        .address(entry.body, 1, Use::Code)
        .ok_or_else(|| outside("body", entry.body))?;
    // SAFETY: the address lies aligned in memory that the file keeps writable. That a descriptor
    // stands there is the tool's word, read from the symbol table of the very file whose build id
    // was compared. The executable stays for ever; an image is dropped only while its entries are
    // in no published table, after the table that was prepared with them.
    let descriptor = unsafe { &*descriptor.cast::<Descriptor>() };
    Ok(EntryBinding {
        path: entry.path.clone(),
        fingerprint: entry.fingerprint.clone(),
        descriptor,
        body,
    })
}

fn lacking_names(error: BacktraceError) -> String {
    format!("backtraces may print frames of the new version as `<unknown>`: {error}")
}

fn micros(time: Duration) -> u64 {
    u64::try_from(time.as_micros()).unwrap_or(u64::MAX)
}
