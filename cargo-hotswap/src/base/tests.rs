//! What is said of files that changed or are of another form.

use std::fs;

use super::*;

fn base(folder: &Path) -> Base {
    let write = |name: &str, text: &str| {
        let path = folder.join(name);
        fs::write(&path, text).unwrap();
        (path, Digest::of(text.as_bytes()))
    };
    Base {
        format: FORMAT,
        name: "web".into(),
        build_id: BuildId::from_bytes(&[1]).unwrap(),
        profile: "release".into(),
        toolchain: "rustc 1.0.0\nhost".into(),
        workspace: folder.to_owned(),
        target_directory: folder.join("target"),
        executable: folder.join("web"),
        link: folder.join("web.hotlink.json"),
        records: [write("web", "elf")].into(),
        units: BTreeMap::new(),
        sources: [write("a.rs", "a"), write("b.rs", "b")].into(),
        texts: BTreeMap::new(),
        fixed: [write("Cargo.toml", "[package]")].into(),
    }
}

#[test]
fn what_was_edited_is_found() {
    let folder = tempfile::tempdir().unwrap();
    let base = base(folder.path());
    assert_eq!(base.edited().unwrap(), Vec::<PathBuf>::new());
    fs::write(folder.path().join("b.rs"), "c").unwrap();
    assert_eq!(base.edited().unwrap(), [folder.path().join("b.rs")]);
    fs::remove_file(folder.path().join("a.rs")).unwrap();
    assert_eq!(base.edited().unwrap().len(), 2);
    fs::write(folder.path().join("Cargo.toml"), "[workspace]").unwrap();
    let error = base.edited().unwrap_err().to_string();
    assert!(error.starts_with("Cargo.toml was edited since"), "{error}");
}

#[test]
fn a_base_is_only_good_with_its_files() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("web.hotswap");
    let base = base(folder.path());
    base.write(&path).unwrap();
    assert_eq!(Base::read(&path).unwrap(), base);
    fs::write(folder.path().join("web"), "another").unwrap();
    let error = base.clone().open().unwrap_err().to_string();
    assert!(error.contains("/web has changed"), "{error}");
    fs::remove_file(folder.path().join("web")).unwrap();
    let error = base.open().unwrap_err().to_string();
    assert!(error.contains("could not read"), "{error}");
    for (text, expected) in [
        ("", "is no base of patches"),
        ("{\"format\": 9}", "has a form that this version"),
        ("{\"format\": 2}", "is no base of patches"),
    ] {
        fs::write(&path, text).unwrap();
        let error = Base::read(&path).unwrap_err().to_string();
        assert!(error.contains(expected), "{error}");
    }
}
