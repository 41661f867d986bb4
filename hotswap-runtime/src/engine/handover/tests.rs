//! The file as one program writes it and the next one reads it, and as it looks when it is damaged.

use super::*;
#[cfg(feature = "serde")]
use crate::live::Live;

/// A file without a name.
fn file() -> File {
    static COUNT: std::sync::atomic::AtomicU32 = std::sync::atomic::AtomicU32::new(0);
    let number = COUNT.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
    let name = format!("hotswap-handover-{}-{number}", std::process::id());
    let path = std::env::temp_dir().join(name);
    let mut options = File::options();
    let file = options.read(true).write(true).create_new(true).open(&path);
    std::fs::remove_file(&path).unwrap();
    file.unwrap()
}

fn written(values: &[(&str, &[u8])]) -> File {
    let file = file();
    let mut out = Out::begin(&file).unwrap();
    for (path, bytes) in values {
        out.value(path, "T", bytes).unwrap();
    }
    out.end().unwrap();
    file
}

/// The paths of the values that are found with their bytes' lengths, and what is wrong.
fn found(file: &File) -> (Vec<(String, u64)>, Option<String>) {
    let mut contents = Contents::default();
    let problem = contents.read(file).err();
    let values = contents.values.into_iter();
    let values = values.map(|(value, place)| (value.path, place.end - place.start));
    (values.collect(), problem)
}

#[test]
fn what_is_written_is_read() {
    let file = written(&[("a::A", b"abc"), ("a::B", b"")]);
    let all = vec![("a::A".to_owned(), 3), ("a::B".to_owned(), 0)];
    assert_eq!(found(&file), (all, None));
}

#[test]
fn a_file_that_ends_too_early_gives_what_came_before() {
    let whole = written(&[("a::A", b"abc"), ("a::B", b"defg")]);
    let bytes = whole.metadata().unwrap().len();
    for length in 0..bytes {
        whole.set_len(length).unwrap();
        let (values, problem) = found(&whole);
        let problem = problem.expect("it is not complete");
        assert!(
            problem.starts_with("what was saved is damaged"),
            "{problem}"
        );
        assert!(values.len() <= 2);
        let place = values.iter().map(|(_, bytes)| bytes).sum::<u64>();
        assert!(place <= length, "a value that is there lies in the file");
    }
}

#[test]
fn another_form_is_not_read() {
    let file = file();
    let mut out = Out::begin(&file).unwrap();
    out.position = 0;
    out.record(&Record::Begin { format: 2 }).unwrap();
    let (values, problem) = found(&file);
    assert!(values.is_empty());
    assert_eq!(
        problem.as_deref(),
        Some("the program before saved form 2, this one knows form 1")
    );
}

#[test]
fn noise_is_damage() {
    for noise in [
        &[0xff; 64][..],
        &[0; 64],
        b"\x02\0\0\0{}",
        b"\x04\0\0\0null",
    ] {
        let file = file();
        file.write_all_at(noise, 0).unwrap();
        let (values, problem) = found(&file);
        assert!(values.is_empty() && problem.is_some(), "{noise:?}");
    }
}

#[test]
fn a_file_with_a_name_is_not_taken() {
    let named = File::open("/proc/self/exe").unwrap();
    assert_eq!(identity(&named), None);
    assert!(identity(&file()).is_some());
}

/// What the test below was started with.
#[cfg(feature = "serde")]
static BEFORE: OnceLock<File> = OnceLock::new();

#[cfg(feature = "serde")]
fn read_before(place: Range<u64>) -> Result<Vec<u8>, String> {
    let bytes = usize::try_from(place.end - place.start).unwrap();
    let mut content = vec![0; bytes];
    let file = BEFORE.get().unwrap();
    file.read_exact_at(&mut content, place.start).unwrap();
    Ok(content)
}

#[cfg(feature = "serde")]
#[test]
fn a_cell_has_the_saved_value_or_makes_its_own() {
    use hotswap_protocol::saved::SavedCell;

    // MessagePack: a positive number, a text, a list.
    static NUMBER: Live<u32> = Live::saved(|| unreachable!("there is a value"));
    static TEXT: Live<u32> = Live::saved(|| 1);
    static DAMAGED: Live<u32> = Live::saved(|| 2);
    static PLAIN: Live<u32> = Live::new(|| 3);
    static DEEP: Live<Vec<(u32, u32)>> = Live::saved(Vec::new);
    let handles = [
        ("NUMBER", NUMBER.handle()),
        ("TEXT", TEXT.handle()),
        ("DAMAGED", DAMAGED.handle()),
        ("PLAIN", PLAIN.handle()),
        ("DEEP", DEEP.handle()),
    ];
    let file = written(&[
        ("NUMBER", b"\x07"),
        ("TEXT", b"\xa1x"),
        ("DAMAGED", b"\x07"),
        ("PLAIN", b"\x07"),
        ("DEEP", b"\x92\x92\x01\x02\x92\x01\xa1x"),
    ]);
    let mut contents = Contents::default();
    contents.read(&file).unwrap();
    let values: Vec<Saved> = contents
        .values
        .into_iter()
        .map(|(value, place)| {
            let handle = handles.iter().find(|(path, _)| *path == value.path);
            let handle = handle.unwrap().1;
            Saved {
                handle,
                value,
                place,
            }
        })
        .collect();
    file.write_all_at(b"\x08", values[2].place.start).unwrap();
    BEFORE.set(file).unwrap();
    restore::begin(read_before, values, RestoreReport::default());
    assert_eq!(*NUMBER.read(), 7);
    let report = finish_restoring();
    assert_eq!((*TEXT.read(), *DAMAGED.read(), *PLAIN.read()), (1, 2, 3));
    assert!(DEEP.read().is_empty());
    let number = SavedCell {
        path: "NUMBER".to_owned(),
        bytes: 1,
    };
    assert_eq!(report.restored, [number]);
    let lost = |path: &str| {
        let mut lost = report.lost.iter();
        let lost = lost.find(|lost| lost.path == path).expect("is lost");
        (lost.field.as_deref(), lost.reason.as_str())
    };
    assert_eq!(
        lost("TEXT"),
        (None, "a text was saved, and the type wants something else")
    );
    assert_eq!(lost("DAMAGED"), (None, "what was saved is damaged"));
    assert_eq!(lost("PLAIN"), (None, restore::NOT_SAVED));
    assert_eq!(
        lost("DEEP"),
        (
            Some("[1][1]"),
            "a text was saved, and the type wants something else"
        )
    );
    assert_eq!(restore::report(), Some(report));
}
