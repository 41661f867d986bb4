//! Images that are loaded, and files that are refused, with no compiler in the loop.

use std::fs;
use std::os::unix::fs::{PermissionsExt as _, symlink};

use hotswap_protocol::checksum::checksum;

use super::*;
use crate::engine::elf::Use;
use crate::engine::elf::sample::{BUILD_ID, BYTES, CODE, STATE, sample};
use crate::engine::loaded::objects;

/// A folder that goes with the test.
struct Folder(PathBuf);

impl Folder {
    fn new(test: &str) -> Self {
        let path =
            std::env::temp_dir().join(format!("hotswap-image-{test}-{}", std::process::id()));
        fs::create_dir_all(&path).unwrap();
        Self(path)
    }

    fn write(&self, name: &str, content: &[u8]) -> PathBuf {
        let path = self.0.join(name);
        let new = self.0.join("new");
        fs::write(&new, content).unwrap();
        fs::set_permissions(&new, fs::Permissions::from_mode(0o600)).unwrap();
        fs::rename(&new, &path).unwrap();
        path
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

fn describe(path: &Path, content: &[u8]) -> Image {
    Image {
        path: path.to_owned(),
        size: content.len() as u64,
        build_id: BuildId::from_bytes(&BUILD_ID).unwrap(),
        checksum: checksum(content),
        shared: false,
    }
}

fn load(described: &Image) -> Result<LoadedImage, ImageError> {
    CheckedImage::open(described)?.load(Visibility::Private)
}

/// What the sample's function returns.
fn call(image: &LoadedImage) -> u32 {
    let code = image.loaded.address(CODE, 6, Use::Code).unwrap();
    // SAFETY: the sample has a function of this type there.
    let function = unsafe { std::mem::transmute::<*const (), extern "C" fn() -> u32>(code) };
    function()
}

/// Other tests may load theirs to the same address.
fn is_in_memory(path: &Path) -> bool {
    let maps = fs::read_to_string("/proc/self/maps").unwrap();
    let path = path.to_str().unwrap();
    maps.lines().any(|line| line.ends_with(path))
}

#[test]
fn a_good_image_is_loaded_and_unloaded() {
    let folder = Folder::new("good");
    let content = sample(41, None);
    let path = folder.write("a b ü.so", &content);
    let image = load(&describe(&path, &content)).unwrap();
    assert_eq!(call(&image), 41);
    assert_eq!(image.loaded.layout.span(), (0, BYTES));
    assert!(image.loaded.address(STATE, 8, Use::State).is_some());
    assert!(is_in_memory(&path));
    drop(image);
    assert!(!is_in_memory(&path));
}

#[test]
fn the_same_path_gives_the_new_code() {
    let folder = Folder::new("same-path");
    let mut images = Vec::new();
    for number in 1..=5 {
        let content = sample(number, None);
        images.push(load(&describe(&folder.write("x.so", &content), &content)).unwrap());
    }
    let numbers: Vec<u32> = images.iter().map(call).collect();
    assert_eq!(numbers, [1, 2, 3, 4, 5]);
}

#[test]
fn the_same_file_is_mapped_a_second_time() {
    let folder = Folder::new("same-file");
    let content = sample(7, None);
    let described = describe(&folder.write("x.so", &content), &content);
    let first = load(&described).unwrap();
    let second = load(&described).unwrap();
    assert_ne!(first.loaded.base, second.loaded.base);
    assert_eq!((call(&first), call(&second)), (7, 7));
}

#[test]
fn what_replaces_the_path_after_the_check_is_not_loaded() {
    let folder = Folder::new("replaced");
    let content = sample(1, None);
    let path = folder.write("x.so", &content);
    let checked = CheckedImage::open(&describe(&path, &content)).unwrap();
    folder.write("x.so", &sample(2, None));
    assert_eq!(call(&checked.load(Visibility::Private).unwrap()), 1);
}

#[test]
fn a_write_after_the_check_is_noticed() {
    let folder = Folder::new("written");
    let content = sample(1, None);
    let path = folder.write("x.so", &content);
    let checked = CheckedImage::open(&describe(&path, &content)).unwrap();
    let file = OpenOptions::new().append(true).open(&path).unwrap();
    file.set_len(BYTES + 1).unwrap();
    let error = checked.load(Visibility::Private).unwrap_err();
    assert_eq!(error.code(), ErrorCode::ImageMismatch);
    assert!(
        error
            .to_string()
            .contains("was written to while it was being loaded"),
        "{error}"
    );
}

#[test]
fn the_loader_knows_the_path() {
    let folder = Folder::new("names");
    let content = sample(3, None);
    let path = folder.write("x.so", &content);
    let image = load(&describe(&path, &content)).unwrap();
    let base = image.loaded.base;
    let name = || {
        let mut objects = objects().into_iter();
        objects
            .find(|object| object.base == base)
            .map(|object| object.name)
    };
    let path = path.as_os_str().as_bytes();
    assert_eq!(name().unwrap(), path);
    drop(image);
    // Another test's image may be there by now.
    assert_ne!(name().as_deref(), Some(path));
}

/// Loads a changed file, or one described otherwise, and compares code and text of the error.
fn check(
    test: &str,
    content: &[u8],
    change: impl FnOnce(&mut Image),
    code: ErrorCode,
    expected: &str,
) {
    let folder = Folder::new(test);
    let mut described = describe(&folder.write("x.so", content), content);
    change(&mut described);
    let error = load(&described).unwrap_err();
    assert_eq!(error.code(), code, "{error}");
    let text = error.to_string();
    assert!(text.contains(expected), "{text}");
}

#[test]
fn refused_files() {
    use ErrorCode::{ImageInvalid, ImageMismatch, ImageUnreadable, LoadFailed};
    let good = sample(1, None);
    let missing = |image: &mut Image| assert!(image.path.set_extension("none"));
    check(
        "missing",
        &good,
        missing,
        ImageUnreadable,
        "x.none`: cannot be read: No such file",
    );
    let size = |image: &mut Image| image.size += 1;
    check(
        "size",
        &good,
        size,
        ImageMismatch,
        "has 8192 bytes, the manifest says 8193",
    );
    let sum = |image: &mut Image| image.checksum = 1;
    check(
        "sum",
        &good,
        sum,
        ImageMismatch,
        "the manifest says 0x0000000000000001",
    );
    let id = |image: &mut Image| image.build_id = BuildId::from_bytes(&[1]).unwrap();
    check(
        "id",
        &good,
        id,
        ImageMismatch,
        "has build id deadbeef, the manifest says 01",
    );
    check(
        "text",
        &[b'x'; 100],
        |_| (),
        ImageInvalid,
        "it is no ELF file",
    );
    check(
        "short",
        &good[..5000],
        |_| (),
        ImageInvalid,
        "lies outside the file of 5000 bytes",
    );
    let folder = |image: &mut Image| assert!(image.path.pop());
    check(
        "folder",
        &good,
        folder,
        ImageUnreadable,
        "is no regular file",
    );
    let needy = sample(1, Some("no_such_function"));
    check(
        "needy",
        &needy,
        |_| (),
        LoadFailed,
        "x.so: undefined symbol: no_such_function",
    );
}

#[test]
fn refused_ways_to_a_file() {
    use ErrorCode::ImageUnreadable;
    let good = sample(1, None);
    let link = |image: &mut Image| {
        let link = image.path.with_extension("link");
        symlink(&image.path, &link).unwrap();
        image.path = link;
    };
    check(
        "link",
        &good,
        link,
        ImageUnreadable,
        "x.link`: cannot be read",
    );
    let open = |image: &mut Image| {
        fs::set_permissions(&image.path, fs::Permissions::from_mode(0o660)).unwrap();
    };
    check(
        "open",
        &good,
        open,
        ImageUnreadable,
        "can be written by others (mode 660)",
    );
    let pipe = |image: &mut Image| {
        fs::remove_file(&image.path).unwrap();
        let name = std::ffi::CString::new(image.path.to_str().unwrap()).unwrap();
        // SAFETY: the name is a valid C string.
        assert_eq!(unsafe { libc::mkfifo(name.as_ptr(), 0o600) }, 0);
    };
    check("pipe", &good, pipe, ImageUnreadable, "is no regular file");
}
