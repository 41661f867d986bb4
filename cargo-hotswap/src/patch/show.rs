//! `cargo hotswap patch show` and `verify`: what a patch file says of itself, and whether it is to be trusted.

use std::time::{Duration, UNIX_EPOCH};

use anyhow::Result;
use clap::Args;
use hotswap_protocol::patch::{Container, Contents, Digest};
use schemars::JsonSchema;
use serde::Serialize;

use super::forms::{Plan, Provenance};
use super::{FORMAT, FileArgs, build, code, file, signing};
use crate::output::{self, Format, plain};

/// What `patch verify` takes.
#[derive(Debug, Clone, Args)]
pub struct VerifyArgs {
    #[command(flatten)]
    file: FileArgs,
    /// Public key of minisign's, as text or as a file
    #[arg(long, value_name = "KEY")]
    public_key: String,
}

/// What a patch file says of itself.
#[derive(Debug, Clone, Serialize, JsonSchema)]
#[schemars(
    title = "Line of `cargo hotswap patch show --message-format=json`, and of `patch build`"
)]
pub struct Summary {
    /// The version of this form.
    #[schemars(extend("const" = FORMAT))]
    pub format: u32,
    /// The patch's name.
    pub name: String,
    /// What it is known by.
    #[schemars(with = "String")]
    pub digest: Digest,
    /// The program that it is for.
    pub program: String,
    /// Its build id.
    pub base: String,
    /// Digests of the patches that must be applied before, the oldest first, and no others.
    #[schemars(with = "Vec<String>")]
    pub below: Vec<Digest>,
    /// Its number.
    pub sequence: u64,
    /// The last second in which it may be applied.
    pub not_after: Option<u64>,
    /// Whether there is a signature, good or not.
    pub signed: bool,
    /// Size of the file.
    pub bytes: usize,
    /// Sizes of its images.
    pub images: Vec<usize>,
    /// What it does.
    pub plan: Plan,
    /// What it was made from.
    pub provenance: Provenance,
}

impl Summary {
    /// The summary of a file of so many bytes.
    pub fn of(contents: &Contents<'_>, container: &Container<'_>, bytes: usize) -> Self {
        let patch = &contents.patch;
        Self {
            format: FORMAT,
            name: patch.name.clone(),
            digest: contents.digest,
            program: patch.base.name.clone(),
            base: patch.base.build_id.to_string(),
            below: patch.below.clone(),
            sequence: patch.sequence,
            not_after: patch.not_after,
            signed: container.signature.is_some(),
            bytes,
            images: contents.images.iter().map(|image| image.len()).collect(),
            plan: patch.plan.clone().into(),
            provenance: patch.provenance.clone().into(),
        }
    }

    /// Its lines for people, each with what it tells of.
    pub fn lines(&self) -> Vec<(&'static str, String)> {
        let mut lines = vec![
            ("patch", format!("{} ({})", self.name, self.digest)),
            (
                "for",
                format!("{} with build id {}", self.program, self.base),
            ),
            ("sequence", self.sequence.to_string()),
        ];
        if let Some(not_after) = self.not_after {
            let over = if build::is_over(not_after) {
                ", which is over"
            } else {
                ""
            };
            lines.push(("until", format!("{}{over}", time(not_after))));
        }
        lines.extend(
            self.below
                .iter()
                .map(|below| ("lies on", below.to_string())),
        );
        let all = |what, names: &[String]| -> Vec<_> {
            names.iter().map(|name| (what, name.clone())).collect()
        };
        lines.extend(all("new code", &self.plan.entries));
        lines.extend(all("still old", &self.plan.still_old));
        lines.extend(all("static", &self.plan.statics));
        lines.extend(all("new layout", &self.plan.migrated));
        match self.plan.no_way_back.is_empty() {
            true => lines.push(("back", "to the code before, with all state".to_owned())),
            false => lines.extend(all("no way back", &self.plan.no_way_back)),
        }
        let edited = self.provenance.edited.iter();
        lines.extend(edited.map(|(path, digest)| ("source", format!("{path} {}", digest.short()))));
        let logged = self.provenance.logged.iter();
        lines.extend(logged.map(|entry| ("logs calls", entry.clone())));
        let compiler = self.provenance.toolchain.lines().next().unwrap_or_default();
        lines.push(("compiler", compiler.to_owned()));
        lines.push(("made by", self.provenance.tool.clone()));
        let sizes: Vec<String> = self.images.iter().map(ToString::to_string).collect();
        lines.push(("images", format!("{} bytes", sizes.join(" + "))));
        let signed = if self.signed {
            "yes, see `patch verify`"
        } else {
            "no"
        };
        lines.push(("signed", signed.to_owned()));
        for (_, text) in &mut lines {
            *text = plain(text);
        }
        lines
    }
}

fn time(seconds: u64) -> String {
    let at = UNIX_EPOCH.checked_add(Duration::from_secs(seconds));
    // The formatter ends with the year 9999.
    match at.filter(|_| seconds < 253_402_300_800) {
        Some(at) => humantime::format_rfc3339_seconds(at).to_string(),
        None => format!("second {seconds} since 1970"),
    }
}

/// Shows a file; the result is the exit code.
///
/// # Errors
///
/// Output can't be written.
pub fn show(args: &FileArgs) -> Result<i32> {
    let read = file::bytes(&args.file).and_then(|bytes| {
        let (container, contents) = file::read(&args.file, &bytes)?;
        Ok(Summary::of(&contents, &container, bytes.len()))
    });
    let summary = match read {
        Ok(summary) => summary,
        Err(error) => return not_trusted(&error, args.message_format),
    };
    let text = match args.message_format {
        Format::Json => serde_json::to_string(&summary)? + "\n",
        Format::Human => {
            let lines = summary.lines().into_iter();
            lines
                .map(|(what, text)| format!("{what:>12} {text}\n"))
                .collect()
        }
    };
    output::print(&text).map(|()| code::DONE)
}

/// Whether a patch file is to be trusted.
#[derive(Debug, Serialize, JsonSchema)]
#[schemars(title = "Line of `cargo hotswap patch verify --message-format=json`")]
pub struct Verdict {
    /// The version of this form.
    #[schemars(extend("const" = FORMAT))]
    format: u32,
    /// It is signed with the key that was given, and whole.
    good: bool,
    /// What it is known by; null if it is not good.
    #[schemars(with = "Option<String>")]
    digest: Option<Digest>,
    /// What the signature says besides; null if it is not good.
    comment: Option<String>,
    /// What is wrong with it; null if nothing is.
    error: Option<String>,
}

/// Checks a file and its signature; the result is the exit code.
///
/// # Errors
///
/// There is no such key.
pub fn verify(args: &VerifyArgs) -> Result<i32> {
    let key = signing::public_key(&args.public_key)?;
    let FileArgs {
        file: path,
        message_format,
    } = &args.file;
    let checked = file::bytes(path).and_then(|bytes| {
        let (container, contents) = file::read(path, &bytes)?;
        let told = signing::verify(&container, &key)?;
        Ok((contents.digest, told))
    });
    let (digest, told) = match checked {
        Ok(checked) => checked,
        Err(error) => return not_trusted(&error, *message_format),
    };
    match message_format {
        Format::Json => print(&Verdict {
            format: FORMAT,
            good: true,
            digest: Some(digest),
            comment: Some(told),
            error: None,
        })?,
        Format::Human => output::status("Verified", &format!("{} ({told})", path.display())),
    }
    Ok(code::DONE)
}

fn not_trusted(error: &anyhow::Error, format: Format) -> Result<i32> {
    match format {
        Format::Json => print(&Verdict {
            format: FORMAT,
            good: false,
            digest: None,
            comment: None,
            error: Some(format!("{error:#}")),
        })?,
        Format::Human => output::failure(error),
    }
    Ok(code::NOT_TRUSTED)
}

fn print(verdict: &Verdict) -> Result<()> {
    output::print(&(serde_json::to_string(verdict)? + "\n"))
}
