//! Schemas of containers whose elements have none: functions of the program's make these whole.

use std::collections::VecDeque;

use crate::migrate::schema::{Choice, Field, Schema, Shape, Variant};
use crate::migrate::sequence::Sequence;

fn element<T>() -> &'static Schema {
    const { &Schema::opaque::<T>() }
}

pub(crate) fn vec<T>() -> &'static Schema {
    const { &Schema::of::<Vec<T>>(Shape::Sequence(Sequence::vec::<T>(element::<T>))) }
}

pub(crate) fn deque<T>() -> &'static Schema {
    const { &Schema::of::<VecDeque<T>>(Shape::Sequence(Sequence::deque::<T>(element::<T>))) }
}

pub(crate) fn boxed<T>() -> &'static Schema {
    const { &Schema::of::<Box<T>>(Shape::Boxed(element::<T>)) }
}

pub(crate) fn option<T>() -> &'static Schema {
    const {
        &Schema::of::<Option<T>>(Shape::Choice(Choice::of::<Option<T>>(
            const {
                &[
                    Variant::new("None", &[]),
                    Variant::new(
                        "Some",
                        const { &[Field::of::<T>("0", 0, Some(element::<T>))] },
                    ),
                ]
            },
        )))
    }
}
