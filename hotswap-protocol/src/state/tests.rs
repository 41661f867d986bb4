//! Migrations that contradict themselves.

use super::*;

fn cell(path: &str, layout: &str) -> Cell {
    Cell {
        path: path.into(),
        layout: layout.into(),
        type_name: "app::World".into(),
        handle: Some(64),
        schema: Some(3),
        init: Some(5),
    }
}

fn field(name: &str, source: Source) -> FieldChange {
    FieldChange {
        name: name.into(),
        source,
    }
}

fn type_change(how: How) -> TypeChange {
    TypeChange {
        old: "app::World".into(),
        new: "app::World".into(),
        old_size: 8,
        new_size: 16,
        how,
    }
}

/// A cell whose struct has a vector of elements that got a field.
fn good() -> Migration {
    let moved = field("hp", Source::Same { from: "hp".into() });
    let elements = field(
        "all",
        Source::Changed {
            from: "all".into(),
            by: 1,
        },
    );
    let fields = |new| {
        How::Fields(Fields {
            new,
            removed: Vec::new(),
        })
    };
    Migration {
        cells: vec![CellChange {
            path: "app::WORLD".into(),
            from: "a".into(),
            to: "b".into(),
            change: 0,
        }],
        types: vec![
            type_change(fields(vec![elements])),
            type_change(How::Elements(vec![Some(2), None])),
            type_change(fields(vec![moved, field("mp", Source::Default)])),
        ],
    }
}

fn check(change: impl FnOnce(&mut Migration, &mut Vec<Cell>), expected: &str) {
    let mut migration = good();
    let base = [cell("app::WORLD", "a"), cell("app::SCORE", "s")];
    let mut image = vec![cell("app::WORLD", "b")];
    change(&mut migration, &mut image);
    let outcome = match migration.validate(&base, &image) {
        Ok(()) => "good".to_owned(),
        Err(error) => error.to_string(),
    };
    assert!(outcome.contains(expected), "{expected}: {outcome}");
}

#[test]
fn contradictions() {
    check(|_, _| (), "good");
    check(
        |m, _| m.cells[0].change = 3,
        "`app::WORLD` refers to change 3, but there are 3",
    );
    check(
        |m, _| m.types[1].how = How::Elements(vec![Some(9)]),
        "`app::World` refers to change 9",
    );
    check(
        |m, _| m.cells[0].to = "c".into(),
        "is to get the layout c, which the image does not give it",
    );
    check(|m, _| m.cells[0].path = "app::X".into(), "cell `app::X`");
    check(
        |m, _| match &mut m.types[2].how {
            How::Fields(fields) => fields.new[1].name = "hp".into(),
            _ => unreachable!(),
        },
        "field `hp` of `app::World` is made twice",
    );
    check(
        |_, image| image.push(cell("app::WORLD", "b")),
        "cell `app::WORLD` occurs twice in the image",
    );
    check(
        |_, image| image.push(cell("", "b")),
        "a cell of the image has no path",
    );
}

#[test]
fn ways_back_begin_with_what_the_image_expects() {
    let image = [cell("app::WORLD", "b")];
    let mut back = good();
    (back.cells[0].from, back.cells[0].to) = ("b".into(), "a".into());
    assert_eq!(back.validate_back(&[], &image), Ok(()));
    let outcome = good().validate_back(&[], &image).unwrap_err().to_string();
    assert!(outcome.contains("begins with the layout a"), "{outcome}");
    back.cells[0].change = 7;
    let outcome = back.validate_back(&[], &image).unwrap_err().to_string();
    assert!(outcome.contains("refers to change 7"), "{outcome}");
}

#[test]
fn a_version_without_image_gives_the_layouts_of_the_executable() {
    check(
        |m, image| {
            image.clear();
            (m.cells[0].from, m.cells[0].to) = ("b".into(), "a".into());
        },
        "good",
    );
}
