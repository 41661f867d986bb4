//! Signatures of patch files, in minisign's form.

use std::fs;
use std::io::Cursor;
use std::path::Path;

use anyhow::{Context, Result, bail};
use ct_codecs::{Base64, Decoder as _};
use hotswap_protocol::patch::container::{self, Container};
use minisign::{PublicKey, PublicKeyBox, SecretKey, SecretKeyBox, SignatureBox};

/// A signed file from one without a signature. `told` is what the signature says besides, for people.
///
/// # Errors
///
/// The key can't be read: it asks for a password, and nobody is there to give one, say.
pub fn sign(file: &[u8], key: &Path, told: &str) -> Result<Vec<u8>> {
    let signature = signature(file, key, told, "signature of a hotswap patch")?;
    Ok(container::sign(file, signature.as_bytes())?)
}

/// The signature of these bytes, which says `told` besides and has this title.
///
/// # Errors
///
/// As for [`sign`].
pub fn signature(bytes: &[u8], key: &Path, told: &str, title: &str) -> Result<String> {
    let key = secret_key(key)?;
    let public = PublicKey::from_secret_key(&key).context("the secret key can't be used")?;
    let (told, title) = (Some(told), Some(title));
    let signature = minisign::sign(Some(&public), &key, Cursor::new(bytes), told, title);
    Ok(signature.context("could not sign it")?.to_string())
}

/// What a secret key without a password has where others say how it is locked.
const NOT_LOCKED: [u8; 2] = [0, 0];

/// The secret key in a file of minisign's. For one with a password somebody is asked.
fn secret_key(path: &Path) -> Result<SecretKey> {
    let context = || format!("{} has no secret key in minisign's form", path.display());
    let text = fs::read_to_string(path);
    let text = text.with_context(|| format!("could not read {}", path.display()))?;
    let line = text.lines().nth(1).with_context(context)?;
    let bytes = Base64::decode_to_vec(line.trim(), None).with_context(context)?;
    if bytes.get(2..4) == Some(&NOT_LOCKED) {
        // minisign itself leaves out the check sum of such keys, on which the crate insists.
        return SecretKey::from_bytes(&bytes).with_context(context);
    }
    let locked = SecretKeyBox::from_string(&text).with_context(context)?;
    let key = locked.into_secret_key(None);
    key.with_context(|| format!("the key in {} can't be used", path.display()))
}

/// The public key that is given as text, or in a file of minisign's.
///
/// # Errors
///
/// There is none.
pub fn public_key(given: &str) -> Result<PublicKey> {
    if let Ok(key) = PublicKey::from_base64(given.trim()) {
        return Ok(key);
    }
    let text = fs::read_to_string(given)
        .with_context(|| format!("`{given}` is neither a public key nor a file with one"))?;
    let key = PublicKeyBox::from_string(&text).and_then(PublicKeyBox::into_public_key);
    let key = key.or_else(|_| PublicKey::from_base64(text.trim()));
    key.with_context(|| format!("{given} has no public key in minisign's form"))
}

/// Checks a signature; the result is what it says besides.
///
/// # Errors
///
/// There is none, or it is of another key or other bytes.
pub fn verify(container: &Container<'_>, key: &PublicKey) -> Result<String> {
    let Some(signature) = container.signature else {
        bail!("the patch is not signed\n  = help: build it with `--key`");
    };
    verify_text(container.signed, signature, key)
        .context("the patch is signed with another key, or was changed after it was signed")
}

/// Checks a signature of these bytes; the result is what it says besides.
///
/// # Errors
///
/// It is of another key or other bytes.
pub fn verify_text(signed: &[u8], signature: &[u8], key: &PublicKey) -> Result<String> {
    let text = std::str::from_utf8(signature).context("the signature is no text")?;
    let signature = SignatureBox::from_string(text).context("the signature can't be read")?;
    minisign::verify(key, &signature, Cursor::new(signed), true, false, false)?;
    Ok(signature.trusted_comment().unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use minisign::KeyPair;

    use super::*;

    #[test]
    fn what_is_signed_can_be_verified() {
        let folder = tempfile::tempdir().unwrap();
        let pair = KeyPair::generate_unencrypted_keypair().unwrap();
        let other = KeyPair::generate_unencrypted_keypair().unwrap();
        let (secret, public) = (folder.path().join("key"), folder.path().join("key.pub"));
        fs::write(&secret, pair.sk.to_box(None).unwrap().to_string()).unwrap();
        fs::write(&public, pair.pk.to_box().unwrap().to_string()).unwrap();
        let file = container::write(b"{}", &[b"image"]).unwrap();
        let signed = sign(&file, &secret, "fix for web").unwrap();
        for given in [pair.pk.to_base64(), public.display().to_string()] {
            let key = public_key(&given).unwrap();
            let container = container::read(&signed).unwrap();
            assert_eq!(verify(&container, &key).unwrap(), "fix for web");
        }
        let check = |bytes: &[u8], key: &PublicKey| {
            let error = verify(&container::read(bytes).unwrap(), key).unwrap_err();
            error.to_string()
        };
        assert!(check(&signed, &other.pk).starts_with("the patch is signed with another key"));
        assert!(check(&file, &pair.pk).starts_with("the patch is not signed"));
        let mut changed = signed.clone();
        let at = file.len() - 1;
        changed[at] ^= 1;
        assert!(check(&changed, &pair.pk).contains("was changed after it was signed"));
        for given in ["", "RWnokey", "/nowhere/key.pub"] {
            assert!(public_key(given).is_err(), "{given}");
        }
    }
}
