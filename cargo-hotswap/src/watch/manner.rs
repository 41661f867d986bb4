//! How a folder is watched: by events, by looking, or both, and what the user should know of it.

use std::path::Path;
use std::time::Duration;

use super::poll;
use crate::config::Poll;

/// A kind of file system whose files can change without an event here: on a server, on the host of
/// a virtual machine, below another mount.
///
/// A file that this machine writes gives an event on every file system, so writing one to see
/// would show nothing. The kind tells.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Remote {
    /// Andrew file system.
    Afs,
    /// Ceph.
    Ceph,
    /// Coda.
    Coda,
    /// User space file systems: sshfs, virtiofs, Docker Desktop's, bindfs.
    Fuse,
    /// General Parallel File System.
    Gpfs,
    /// Lustre.
    Lustre,
    /// Network File System.
    Nfs,
    /// Plan 9: folders of Windows in WSL 2, shares of QEMU.
    #[serde(rename = "9p")]
    Plan9,
    /// Parallels' shared folders.
    Prl,
    /// Windows shares.
    Smb,
    /// VirtualBox's shared folders.
    Vboxsf,
    /// VMware's shared folders.
    Vmhgfs,
}

/// Magic numbers as `statfs` gives them; most stand in Linux' `magic.h`.
const REMOTE: [(u32, Remote); 15] = [
    (0x5346_414f, Remote::Afs),
    (0x6b41_4653, Remote::Afs),
    (0x00c3_6400, Remote::Ceph),
    (0x7375_7245, Remote::Coda),
    (0x6573_5546, Remote::Fuse),
    (0x4750_4653, Remote::Gpfs),
    (0x0bd0_0bd0, Remote::Lustre),
    (0x0000_6969, Remote::Nfs),
    (0x0102_1997, Remote::Plan9),
    (0x7c7c_6673, Remote::Prl),
    (0x0000_517b, Remote::Smb),
    (0xff53_4d42, Remote::Smb),
    (0xfe53_4d42, Remote::Smb),
    (0x786f_4256, Remote::Vboxsf),
    (0xbacb_acbc, Remote::Vmhgfs),
];

impl Remote {
    /// The kind of this folder's file system; `None` for one whose changes all give events.
    pub fn of(folder: &Path) -> Option<Self> {
        Self::from_magic(rustix::fs::statfs(folder).ok()?.f_type)
    }

    /// The kind that goes with a magic number.
    pub fn from_magic(magic: impl TryInto<i64>) -> Option<Self> {
        // The sign of the number differs by architecture; the number has 32 bits.
        let magic = (magic.try_into().ok()? & 0xffff_ffff) as u32;
        let found = REMOTE.iter().find(|(number, _)| *number == magic);
        found.map(|(_, kind)| *kind)
    }

    /// Its usual name.
    pub fn name(self) -> &'static str {
        match self {
            Self::Afs => "AFS",
            Self::Ceph => "Ceph",
            Self::Coda => "Coda",
            Self::Fuse => "FUSE",
            Self::Gpfs => "GPFS",
            Self::Lustre => "Lustre",
            Self::Nfs => "NFS",
            Self::Plan9 => "9p",
            Self::Prl => "Parallels",
            Self::Smb => "SMB",
            Self::Vboxsf => "VirtualBox",
            Self::Vmhgfs => "VMware",
        }
    }
}

/// Why a folder has no events.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum NoEvents {
    /// This user's processes watch as many files as they may.
    WatchLimit,
    /// They have as many event queues as they may.
    InstanceLimit,
    /// Something else.
    Other(String),
}

/// How a folder is watched.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Manner {
    /// The time between two looks, if it is looked at.
    pub poll: Option<Duration>,
    /// What to tell the user.
    pub warning: Option<String>,
}

/// Decides how a folder is watched.
pub fn decide(
    folder: &Path,
    setting: Poll,
    remote: Option<Remote>,
    no_events: Option<&NoEvents>,
) -> Manner {
    let usual = |warning: String| Manner {
        poll: Some(poll::INTERVAL),
        warning: Some(warning),
    };
    match (setting, no_events, remote) {
        (Poll::Always(interval), _, _) => Manner {
            poll: Some(interval.unwrap_or(poll::INTERVAL)),
            warning: None,
        },
        (Poll::Never, None, _) | (Poll::WhereNeeded, None, None) => Manner {
            poll: None,
            warning: None,
        },
        (Poll::Never, Some(reason), _) => Manner {
            poll: None,
            warning: Some(no_events_text(
                folder,
                reason,
                "saves in it are not seen, since `watch.poll` is off",
            )),
        },
        (Poll::WhereNeeded, Some(reason), _) => usual(no_events_text(folder, reason, &looked_at())),
        (Poll::WhereNeeded, None, Some(remote)) => usual(format!(
            "{} is on a file system ({}) whose changes can come without an event; {}\n  \
             = help: set `watch.poll` to a number of milliseconds, or to `false` if all edits are \
             made on this machine",
            folder.display(),
            remote.name(),
            looked_at(),
        )),
    }
}

fn looked_at() -> String {
    let interval = poll::INTERVAL.as_millis();
    format!("it is also looked at every {interval} ms")
}

fn no_events_text(folder: &Path, reason: &NoEvents, instead: &str) -> String {
    let (what, help) = match reason {
        NoEvents::WatchLimit => (
            "the limit of watched folders is reached".to_owned(),
            raise("max_user_watches", 524_288),
        ),
        NoEvents::InstanceLimit => (
            "the limit of programs that watch files is reached".to_owned(),
            raise("max_user_instances", 1024),
        ),
        NoEvents::Other(error) => (error.clone(), String::new()),
    };
    let instead = instead.replace("also looked", "looked");
    format!(
        "{} gives no file events ({what}); {instead}{help}",
        folder.display()
    )
}

/// How to raise a limit of inotify's.
pub fn raise(limit: &str, value: u32) -> String {
    format!(
        "\n  = help: raise the limit with `sudo sysctl fs.inotify.{limit}={value}`, for good in a \
         file in /etc/sysctl.d"
    )
}

#[cfg(test)]
mod tests {
    use std::path::Path;
    use std::time::Duration;

    use super::{NoEvents, Remote, decide};
    use crate::config::Poll;

    #[test]
    fn how_a_folder_is_watched() {
        let auto = Poll::WhereNeeded;
        let other = NoEvents::Other("function not implemented".to_owned());
        for (setting, remote, no_events, interval, words) in [
            (auto, None, None, None, &[][..]),
            (
                auto,
                Some(Remote::Nfs),
                None,
                Some(250),
                &["(NFS)", "250 ms", "`watch.poll`"],
            ),
            (
                auto,
                None,
                Some(&NoEvents::WatchLimit),
                Some(250),
                &[
                    "/w gives no file events",
                    "sysctl fs.inotify.max_user_watches=",
                    "is looked at",
                ],
            ),
            (
                auto,
                Some(Remote::Plan9),
                Some(&NoEvents::InstanceLimit),
                Some(250),
                &["sysctl fs.inotify.max_user_instances="],
            ),
            (
                auto,
                None,
                Some(&other),
                Some(250),
                &["(function not implemented); it is"],
            ),
            (
                Poll::Always(None),
                None,
                Some(&NoEvents::WatchLimit),
                Some(250),
                &[],
            ),
            (
                Poll::Always(Some(Duration::from_millis(40))),
                Some(Remote::Fuse),
                None,
                Some(40),
                &[],
            ),
            (Poll::Never, Some(Remote::Fuse), None, None, &[]),
            (
                Poll::Never,
                None,
                Some(&NoEvents::WatchLimit),
                None,
                &["are not seen", "max_user_watches"],
            ),
        ] {
            let manner = decide(Path::new("/w"), setting, remote, no_events);
            assert_eq!(
                manner.poll,
                interval.map(Duration::from_millis),
                "{setting:?} {remote:?}"
            );
            assert_eq!(manner.warning.is_some(), !words.is_empty(), "{manner:?}");
            let text = manner.warning.unwrap_or_default();
            assert!(words.iter().all(|word| text.contains(word)), "{text}");
        }
    }

    #[test]
    fn kinds_are_known_by_their_number() {
        for (magic, kind) in [
            (0x6969_i64, Some(Remote::Nfs)),
            (0x6573_5546, Some(Remote::Fuse)),
            // As a signed number of 32 bits, as some systems give it.
            (i64::from(0xff53_4d42_u32.cast_signed()), Some(Remote::Smb)),
            (0xff53_4d42, Some(Remote::Smb)),
            // ext4, tmpfs, overlayfs.
            (0xef53, None),
            (0x0102_1994, None),
            (0x794c_7630, None),
        ] {
            assert_eq!(Remote::from_magic(magic), kind, "{magic:x}");
        }
        assert_eq!(Remote::of(Path::new("/proc")), None);
    }
}
