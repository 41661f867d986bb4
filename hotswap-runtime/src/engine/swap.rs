//! The transaction that makes a patch current: prepare, then commit or abort.
//!
//! Each half is a list of steps in one function. Prepare only checks and loads: dropping its result
//! undoes it. Commit can fail only while it makes new values of cells; then all is as it was.

use std::time::{Duration, Instant};

use hotswap_protocol::build_id::BuildId;
use hotswap_protocol::manifest::{Entry, Image, Manifest, ManifestError, Side};
use hotswap_protocol::message::{CommitReport, ErrorCode, PrepareReport};

use crate::engine::backtrace::{self, BacktraceError};
use crate::engine::elf::Use;
use crate::engine::fork;
use crate::engine::image::{CheckedImage, ImageError, LoadedImage, Visibility};
use crate::engine::loaded::{self, Loaded};
use crate::engine::state::{self, AssembledState, PreparedState, StateError};
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
}

impl SwapError {
    /// The protocol's name for the failure.
    pub(crate) fn code(&self) -> ErrorCode {
        match self {
            Self::Manifest(_) | Self::Address { .. } => ErrorCode::BadManifest,
            Self::WrongHost { .. } => ErrorCode::WrongHost,
            Self::Image(error) => error.code(),
            Self::Register(_) => ErrorCode::EntriesRefused,
            Self::State(error) => error.code(),
        }
    }
}

/// A patch that is loaded and can be committed. Dropping it aborts.
pub(crate) struct Prepared {
    // Fields drop in this order: table and state refer to the image, the image to its support.
    table: PreparedTable,
    state: PreparedState,
    version: Version,
    loading: Loading,
    origin: Origin,
    support: Vec<LoadedImage>,
    report: PrepareReport,
    backtrace: Result<(), BacktraceError>,
}

/// Checks and loads a patch without any visible effect.
pub(crate) fn prepare(manifest: &Manifest) -> Result<Prepared, SwapError> {
    let started = Instant::now();
    manifest.validate()?;
    let host = check_host(&manifest.host.build_id)?;
    let base_entries = bind(&manifest.base_entries, host, Side::Base)?;
    state::announce(manifest, host)?;
    let statics = manifest.host.backtrace.as_ref();
    let backtrace = statics.map_or(Ok(()), |statics| backtrace::locate(statics, host));
    let checked = CheckedFiles::open(manifest)?;
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
    fork::undivided(|| version::set_host_cells(base_cells));
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
    Ok(Prepared {
        version: version.with_cells(state.cells()),
        loading: Loading::tell(number),
        origin: manifest.back.clone().into(),
        table,
        state,
        support,
        report,
        backtrace,
    })
}

impl Prepared {
    /// The number the version will have.
    pub(crate) fn version(&self) -> u64 {
        self.version.number
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
            version,
            loading,
            origin,
            support,
            report,
            backtrace,
        } = self;
        let state = match state.assemble() {
            Ok(state) => state,
            Err(aborted) => {
                if let Aborted::Stuck(_) = aborted {
                    // A thread runs code of the image, and may do so for ever.
                    std::mem::forget((version, support));
                    loading.stays();
                }
                return Err(aborted);
            }
        };
        // Names first: the first call of the new version may already print them.
        let backtrace = backtrace.and_then(|()| backtrace::refresh());
        let number = version.number;
        let mut done = flip(state, number, started, || {
            match origin {
                Origin::Edit(_) => on_panic::watch(number),
                Origin::Revert(_) => on_panic::unwatch(),
            }
            version::commit(version, origin, support, || table::publish(table));
        });
        loading.stays();
        done.load_us = report.check_us + report.load_us;
        done.warnings.extend(backtrace.err().map(lacking_names));
        Ok(done)
    }
}

/// Makes a version current whose values stand, and runs the callbacks; `publish` moves the entries.
pub(super) fn flip(
    state: AssembledState,
    number: u64,
    started: Instant,
    publish: impl FnOnce(),
) -> CommitReport {
    let swap = Swap {
        from: table::current_version(),
        to: number,
    };
    let mut flip_us = 0;
    let done = state.commit(|| {
        publish();
        flip_us = micros(started.elapsed());
    });
    CommitReport {
        load_us: 0,
        flip_us,
        pause_us: micros(done.pause),
        migrated: done.values,
        callback_failures: on_swap::run(swap),
        warnings: done.warnings,
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

/// The patch's files, all checked before the first is loaded.
struct CheckedFiles {
    support: Vec<CheckedImage>,
    image: Option<CheckedImage>,
}

impl CheckedFiles {
    fn open(manifest: &Manifest) -> Result<Self, ImageError> {
        let missing = |image: &&Image| !version::has_support(&image.build_id);
        let support = manifest
            .support
            .iter()
            .filter(missing)
            .map(CheckedImage::open);
        let support = support.collect::<Result<Vec<_>, _>>()?;
        let image = manifest
            .image
            .as_ref()
            .map(CheckedImage::open)
            .transpose()?;
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
