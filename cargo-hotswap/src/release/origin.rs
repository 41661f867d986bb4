//! What programs may run when the next release is made: the release before as it was started, and that release in
//! programs that went over to it while they ran. From each of these leads a way of its own, since a patch is made for
//! the executable that a program was started from and for the patches that lie on it.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};
use hotswap_protocol::build_id::BuildId;
use hotswap_protocol::patch::Digest;

use super::about::{About, AboutError, Part, Way};
use super::file;
use super::plan::{Direction, Plan, Step};
use crate::base::Base;
use crate::events::Event;
use crate::output;
use crate::patch::{self, build};

/// A release before.
struct Before {
    path: PathBuf,
    about: About,
    base: Vec<u8>,
    /// The patches of its ways by which a program can go.
    patches: Vec<(usize, Vec<u8>)>,
}

/// What a program runs.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Origin {
    /// As [`Way::from`].
    from: Vec<String>,
    build_id: BuildId,
    below: Vec<Digest>,
}

/// The releases before, that from which the way leads first.
pub(super) struct Origins {
    releases: Vec<Before>,
}

/// A way, and its patch if it has one.
pub(super) struct Made {
    pub(super) way: Way,
    pub(super) patch: Option<Patched>,
}

/// A patch, and what it was made from.
pub(super) struct Patched {
    pub(super) bytes: Vec<u8>,
    /// What each source said, by its path as people see it.
    pub(super) sources: BTreeMap<String, Digest>,
}

/// What the patches of a release have in common.
#[derive(Debug, Clone, Copy)]
pub(super) struct Wanted<'a> {
    pub(super) version: &'a str,
    pub(super) sequence: u64,
    pub(super) key: Option<&'a Path>,
}

impl Before {
    fn read(path: &Path, version: &str) -> Result<Self> {
        let context = || format!("{} can't be a release before", path.display());
        let bytes = file::bytes(path).with_context(context)?;
        let contents = file::open(&bytes).and_then(|sealed| sealed.contents());
        let contents = contents.with_context(context)?;
        // It would be built in the other's folder, and take the place of its file.
        if contents.about.version == version {
            return Err(AboutError::Same(version.to_owned())).with_context(context);
        }
        let mut patches = Vec::new();
        for (at, way) in contents.about.ways.iter().enumerate() {
            let plan = contents.part(Part::Plan(at)).unwrap_or_default();
            let plan = Plan::read(&String::from_utf8_lossy(plan), way).with_context(context)?;
            let is_live = !matches!(plan.steps(Direction::Up), [Step::Restart { .. }]);
            let patch = contents.part(Part::Patch(at)).filter(|_| is_live);
            patches.extend(patch.map(|patch| (at, patch.to_vec())));
        }
        Ok(Self {
            path: path.to_owned(),
            base: contents.part(Part::Base).unwrap_or_default().to_vec(),
            patches,
            about: contents.about,
        })
    }

    /// Programs that were started from it, and those that came to it by its ways.
    fn origins(&self) -> Vec<Origin> {
        let started = Origin {
            from: vec![self.about.version.clone()],
            build_id: self.about.build_id.clone(),
            below: Vec::new(),
        };
        let came = self.patches.iter().map(|(at, _)| {
            let way = &self.about.ways[*at];
            let (mut from, mut below) = (way.from.clone(), way.below.clone());
            from.push(self.about.version.clone());
            below.extend(way.patch);
            Origin {
                from,
                build_id: way.build_id.clone(),
                below,
            }
        });
        [started].into_iter().chain(came).collect()
    }

    /// The patch with this digest, if a way of this release has it.
    fn patch(&self, digest: Digest) -> Option<build::On> {
        let is = |at: &usize| self.about.ways[*at].patch == Some(digest);
        let (_, bytes) = self.patches.iter().find(|(at, _)| is(at))?;
        Some(build::On {
            path: self.path.clone(),
            bytes: bytes.clone(),
        })
    }
}

impl Origins {
    /// Reads the release before the one with this version, and those before that.
    ///
    /// # Errors
    ///
    /// One of them is no release, has that version, or has nothing to do with the first.
    pub(super) fn read(from: &Path, earlier: &[PathBuf], version: &str) -> Result<Self> {
        let paths = [from]
            .into_iter()
            .chain(earlier.iter().map(PathBuf::as_path));
        let releases = paths.map(|path| Before::read(path, version));
        let origins = Self {
            releases: releases.collect::<Result<_>>()?,
        };
        origins.check()?;
        Ok(origins)
    }

    fn check(&self) -> Result<()> {
        let origins = self.releases[0].origins();
        for (at, before) in self.releases.iter().enumerate().skip(1) {
            let Before { path, about, .. } = before;
            if self.releases[..at]
                .iter()
                .any(|other| other.about.version == about.version)
            {
                bail!("release {} is given twice", about.version);
            }
            // It was started from it, or went over to it.
            let comes = |origin: &Origin| {
                let mut below = origin.below.iter();
                origin.build_id == about.build_id
                    || below.any(|below| before.patch(*below).is_some())
            };
            if !origins.iter().any(comes) {
                if origins
                    .iter()
                    .any(|origin| origin.from.contains(&about.version))
                {
                    bail!(
                        "{} is another build of release {} than that from which programs came to release {}\n  \
                         = help: give the file from which that one was made",
                        path.display(),
                        about.version,
                        self.releases[0].about.version
                    );
                }
                bail!(
                    "no program comes from {} to release {} while it runs\n  = help: leave out `--earlier {}`",
                    about.version,
                    self.releases[0].about.version,
                    path.display()
                );
            }
        }
        Ok(())
    }

    /// Makes all ways. None if something does not compile, which has been told.
    ///
    /// # Errors
    ///
    /// A release is not what it was, or a file can't be read or written.
    pub(super) fn make(&self, wanted: Wanted<'_>) -> Result<Option<Vec<Made>>> {
        let mut made = Vec::new();
        for origin in self.releases[0].origins() {
            match self.bases(&origin) {
                Ok((base, on)) => match make(origin.way(), base, &on, wanted)? {
                    Some(one) => made.push(one),
                    None => return Ok(None),
                },
                Err(missing) => output::warning(&format!(
                    "no way leads from {}\n  = help: `--earlier` with release {missing} makes one",
                    origin.way().shown()
                )),
            }
        }
        Ok(Some(made))
    }

    /// The release that programs were started from, and the patches that they went over with; else the version of
    /// the release that is missing.
    fn bases<'a>(&'a self, origin: &'a Origin) -> Result<(&'a Before, Vec<build::On>), &'a str> {
        let mut from = origin.from.iter();
        let started = from.next().map_or("", String::as_str);
        let base = self.releases.iter().find(|before| {
            before.about.build_id == origin.build_id && before.about.version == started
        });
        let on = from.zip(&origin.below).map(|(version, digest)| {
            let mut all = self.releases.iter();
            all.find_map(|before| before.patch(*digest))
                .ok_or(version.as_str())
        });
        Ok((base.ok_or(started)?, on.collect::<Result<_, _>>()?))
    }
}

impl Origin {
    /// A way without anything on it.
    fn way(&self) -> Way {
        Way {
            from: self.from.clone(),
            build_id: self.build_id.clone(),
            below: self.below.clone(),
            patch: None,
            restart: Vec::new(),
            crates: Vec::new(),
            cells: Vec::new(),
            no_way_back: Vec::new(),
        }
    }
}

/// Makes the patch of what was edited since, or tells why a restart is needed. None if it does not compile, which has
/// been told.
fn make(
    mut way: Way,
    before: &Before,
    on: &[build::On],
    wanted: Wanted<'_>,
) -> Result<Option<Made>> {
    let opened = Base::parse(&before.path, &before.base)?.open()?;
    let edited = match opened.base.edited() {
        Ok(edited) if edited.is_empty() && on.is_empty() => Err("no source was edited".to_owned()),
        Ok(edited) => Ok(edited),
        Err(error) => Err(format!("{error:#}")),
    };
    let edited = match edited {
        Ok(edited) => edited,
        Err(reason) => {
            way.restart.push(reason);
            return Ok(Some(Made { way, patch: None }));
        }
    };
    let name = format!("{} {}", opened.base.name, wanted.version);
    let wanted = build::Wanted {
        name: &name,
        log: &[],
        on,
        sequence: wanted.sequence,
        not_after: None,
        key: wanted.key,
    };
    match build::make(&opened, &edited, &wanted)? {
        build::Outcome::Made { bytes, crates } => {
            let (_, contents) = patch::file::read(Path::new("the patch"), &bytes)?;
            way.patch = Some(contents.digest);
            way.crates = crates;
            way.cells = contents.patch.plan.migrated;
            way.no_way_back = contents.patch.plan.no_way_back;
            let sources = sources(&opened.base, &edited, contents.patch.provenance.edited);
            let patch = Some(Patched { bytes, sources });
            Ok(Some(Made { way, patch }))
        }
        build::Outcome::Not(event) => Ok(restart(*event)?.map(|reason| {
            way.restart.push(reason);
            Made { way, patch: None }
        })),
    }
}

/// What all sources of a base said when a patch of these edits was made. `present` are those of the edited ones that
/// were not gone.
fn sources(
    base: &Base,
    edited: &[PathBuf],
    present: BTreeMap<String, Digest>,
) -> BTreeMap<String, Digest> {
    let as_built = base.sources.iter();
    let as_built = as_built.filter(|(path, _)| !edited.contains(path));
    let as_built = as_built.map(|(path, digest)| (base.shown(path), *digest));
    as_built.chain(present).collect()
}

/// Why an edit asks for a restart; none if it does not compile, which is told.
fn restart(event: Event) -> Result<Option<String>> {
    match event {
        Event::CompileError { message, summary } => {
            output::compiler(&message);
            output::error(&summary);
            Ok(None)
        }
        Event::Refused { message, .. } => Ok(Some(message.trim_end().to_owned())),
        Event::Failed { message } => Ok(Some(message)),
        Event::Unchanged { .. } => {
            let text = "what was edited makes no difference to the compiled code";
            Ok(Some(text.to_owned()))
        }
        other => bail!("no release was made: {other:?}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::release::about::tests::{about, way};

    /// A release before with these ways, all of which a program can go.
    fn before(version: &str, ways: &[&[&str]]) -> Before {
        let ways: Vec<Way> = ways.iter().map(|from| way(from)).collect();
        Before {
            path: PathBuf::from(version),
            base: Vec::new(),
            patches: (0..ways.len()).map(|at| (at, Vec::new())).collect(),
            about: about(version, ways),
        }
    }

    /// Of each origin what it is, and which files its patch is made from, or what is missing.
    fn told(releases: Vec<Before>) -> Result<Vec<String>> {
        let origins = Origins { releases };
        origins.check()?;
        let told = |origin: Origin| match origins.bases(&origin) {
            Ok((base, on)) => {
                let on: Vec<_> = on.iter().map(|on| on.path.display().to_string()).collect();
                format!(
                    "{}: {} {}",
                    origin.from.join(">"),
                    base.about.version,
                    on.join(",")
                )
            }
            Err(missing) => format!("{}: no {missing}", origin.from.join(">")),
        };
        Ok(origins.releases[0]
            .origins()
            .into_iter()
            .map(told)
            .collect())
    }

    #[test]
    fn a_way_begins_wherever_a_program_may_be() {
        let first = || before("1", &[]);
        let second = || before("2", &[&["1"]]);
        let third = || before("3", &[&["2"], &["1", "2"]]);
        for (releases, expected) in [
            (vec![first()], &["1: 1 "][..]),
            (vec![second()], &["2: 2 ", "1>2: no 1"]),
            (vec![second(), first()], &["2: 2 ", "1>2: 1 2"]),
            (
                vec![third(), second()],
                &["3: 3 ", "2>3: 2 3", "1>2>3: no 1"],
            ),
            (
                vec![third(), first(), second()],
                &["3: 3 ", "2>3: 2 3", "1>2>3: 1 2,3"],
            ),
            (
                vec![third(), first()],
                &["3: 3 ", "2>3: no 2", "1>2>3: no 2"],
            ),
        ] {
            assert_eq!(told(releases).unwrap(), expected);
        }
    }

    #[test]
    fn what_has_nothing_to_do_with_it_is_refused() {
        let refused = |releases| told(releases).unwrap_err().to_string();
        let first = || before("1", &[]);
        let twice = refused(vec![before("2", &[&["1"]]), first(), first()]);
        assert_eq!(twice, "release 1 is given twice");
        let other = refused(vec![before("2", &[]), first()]);
        let mut rebuilt = first();
        rebuilt.about.build_id = BuildId::from_bytes(b"rebuilt").unwrap();
        let rebuilt = refused(vec![before("2", &[&["1"]]), rebuilt]);
        assert!(rebuilt.contains("another build of release 1"), "{rebuilt}");
        assert!(
            other.contains("no program comes from 1 to release 2"),
            "{other}"
        );
    }

    #[test]
    fn what_cannot_go_live_is_a_reason_to_restart() {
        let refused = Event::Unchanged { files: Vec::new() };
        let reason = restart(refused).unwrap().unwrap();
        assert!(reason.contains("no difference"), "{reason}");
        let failed = Event::Failed {
            message: "the new code needs `a`".to_owned(),
        };
        assert_eq!(
            restart(failed).unwrap().as_deref(),
            Some("the new code needs `a`")
        );
        let other = Event::Started { pid: 1 };
        assert!(restart(other).is_err());
    }
}
