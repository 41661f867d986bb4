//! The keys that patch files must be signed with: compiled in, or from a file that only root can write.

use std::fs::{self, OpenOptions};
use std::io::Read as _;
use std::os::unix::fs::{MetadataExt as _, OpenOptionsExt as _};
use std::path::Path;

use hotswap_protocol::message::ErrorCode;
use hotswap_protocol::patch::Container;
use minisign_verify::{PublicKey, Signature};

use crate::engine::control::Failure;
use crate::sync::{Mutex, lock};

/// The key that was there when this crate was compiled.
const COMPILED_IN: Option<&str> = option_env!("HOTSWAP_PUBLIC_KEY");

/// Where a system's keys are, one on each line.
const FILE: &str = "/etc/hotswap/keys.pub";

/// More than any list of keys has.
const MAX_FILE_BYTES: u64 = 64 << 10;

/// The keys that the program has given.
static GIVEN: Mutex<Vec<String>> = Mutex::new(Vec::new());

/// Takes a key of the program's.
pub(crate) fn add(key: &str) -> Result<(), String> {
    parse(key)?;
    lock(&GIVEN).push(key.to_owned());
    Ok(())
}

/// The key in the text of a public key file, or in its second line alone.
fn parse(text: &str) -> Result<PublicKey, String> {
    let line = text.lines().map(str::trim).rfind(|line| !line.is_empty());
    let key = PublicKey::from_base64(line.unwrap_or_default());
    key.map_err(|_| format!("`{text}` is no public key in minisign's form"))
}

/// All keys, and what was wrong with a place where there may be one.
fn trusted() -> (Vec<PublicKey>, Vec<String>) {
    let mut problems = Vec::new();
    let mut texts: Vec<String> = COMPILED_IN.map(str::to_owned).into_iter().collect();
    texts.extend(lock(&GIVEN).iter().cloned());
    match of_file(Path::new(FILE), 0) {
        Ok(lines) => texts.extend(lines),
        Err(problem) => problems.push(format!("`{FILE}` {problem}")),
    }
    let mut keys = Vec::new();
    for text in texts.iter().filter(|text| !text.trim().is_empty()) {
        match parse(text) {
            Ok(key) => keys.push(key),
            Err(problem) => problems.push(problem),
        }
    }
    (keys, problems)
}

/// The keys in a file that belongs to this user and that nobody else can write; none if it is not there.
fn of_file(path: &Path, owner: u32) -> Result<Vec<String>, String> {
    let folder = path.parent().map(fs::symlink_metadata);
    let file = OpenOptions::new()
        .read(true)
        .custom_flags(libc::O_NOFOLLOW | libc::O_NONBLOCK)
        .open(path);
    let file = match file {
        Ok(file) => file,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(Vec::new()),
        Err(error) => return Err(format!("can't be read: {error}")),
    };
    let metadata = file.metadata().map_err(|error| error.to_string())?;
    let folder = folder.and_then(Result::ok);
    let folder = folder.ok_or_else(|| "has no folder".to_owned())?;
    if !metadata.is_file() || !folder.is_dir() {
        return Err("is no regular file in a folder".to_owned());
    }
    if [&metadata, &folder]
        .iter()
        .any(|it| it.uid() != owner || it.mode() & 0o022 != 0)
    {
        return Err("or its folder can be written by others than its owner, root".to_owned());
    }
    let mut text = String::new();
    file.take(MAX_FILE_BYTES)
        .read_to_string(&mut text)
        .map_err(|error| format!("can't be read: {error}"))?;
    let lines = text.lines().map(str::trim);
    let is_key = |line: &&str| !line.is_empty() && !line.starts_with("untrusted comment:");
    Ok(lines
        .filter(is_key)
        .filter(|line| !line.starts_with('#'))
        .map(str::to_owned)
        .collect())
}

/// Whether a patch file is signed with one of the keys.
pub(super) fn verify(container: &Container<'_>) -> Result<(), Failure> {
    let (keys, problems) = trusted();
    if keys.is_empty() {
        let found = match problems.is_empty() {
            true => String::new(),
            false => format!(" ({})", problems.join("; ")),
        };
        let text = format!(
            "this program has no key to check a patch with{found}: compile it with \
             HOTSWAP_PUBLIC_KEY set, or put a key into {FILE}"
        );
        return Err(Failure::new(ErrorCode::NoKey, text));
    }
    verify_with(container, &keys)
}

fn verify_with(container: &Container<'_>, keys: &[PublicKey]) -> Result<(), Failure> {
    let Some(signature) = container.signature else {
        let text = "the patch is not signed: sign it with `cargo hotswap patch build --key`";
        return Err(Failure::new(ErrorCode::NotSigned, text));
    };
    let bad = |text: String| Failure::new(ErrorCode::BadSignature, text);
    let text =
        std::str::from_utf8(signature).map_err(|_| bad("the signature is no text".into()))?;
    let signature = Signature::decode(text)
        .map_err(|error| bad(format!("the signature can't be read: {error}")))?;
    let good = |key: &PublicKey| key.verify(container.signed, &signature, false).is_ok();
    match keys.iter().any(good) {
        true => Ok(()),
        false => Err(bad(
            "the patch is signed with a key that this program does not trust, or was changed \
             after it was signed"
                .to_owned(),
        )),
    }
}

#[cfg(test)]
mod tests;
