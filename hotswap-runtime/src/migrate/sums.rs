//! Schemas of `Option`, `Result`, tuples and arrays.

use crate::migrate::Migrate;
use crate::migrate::parts::{Choose, Fields, Parts};
use crate::migrate::schema::{Choice, Field, Schema, Shape, Variant};

impl<T: Migrate> Migrate for Option<T> {
    fn schema() -> &'static Schema {
        const {
            &Schema::of::<Self>(Shape::Choice(Choice::of::<Self>(
                const {
                    &[
                        Variant::new("None", &[]),
                        Variant::new("Some", const { &[Field::of::<T>("0", 0, Some(T::schema))] }),
                    ]
                },
            )))
        }
    }
}

impl<T> Choose for Option<T> {
    fn project(&self, fields: &mut Fields<'_>) -> u32 {
        match self {
            None => 0,
            Some(value) => {
                fields.add(value);
                1
            }
        }
    }

    fn build(variant: u32, parts: &mut Parts<'_>) -> Self {
        match variant {
            0 => None,
            _ => Some(parts.take()),
        }
    }
}

impl<T: Migrate, E: Migrate> Migrate for Result<T, E> {
    fn schema() -> &'static Schema {
        const {
            &Schema::of::<Self>(Shape::Choice(Choice::of::<Self>(
                const {
                    &[
                        Variant::new("Ok", const { &[Field::of::<T>("0", 0, Some(T::schema))] }),
                        Variant::new("Err", const { &[Field::of::<E>("0", 0, Some(E::schema))] }),
                    ]
                },
            )))
        }
    }
}

impl<T, E> Choose for Result<T, E> {
    fn project(&self, fields: &mut Fields<'_>) -> u32 {
        match self {
            Ok(value) => {
                fields.add(value);
                0
            }
            Err(value) => {
                fields.add(value);
                1
            }
        }
    }

    fn build(variant: u32, parts: &mut Parts<'_>) -> Self {
        match variant {
            0 => Ok(parts.take()),
            _ => Err(parts.take()),
        }
    }
}

impl<T: Migrate, const N: usize> Migrate for [T; N] {
    fn schema() -> &'static Schema {
        const {
            &Schema::of::<Self>(Shape::Array {
                len: N,
                element: T::schema,
            })
        }
    }
}

/// One implementation for each number of elements.
macro_rules! tuples {
    ($(($($name:ident $index:tt),+))*) => {$(
        impl<$($name: Migrate),+> Migrate for ($($name,)+) {
            fn schema() -> &'static Schema {
                const {
                    &Schema::of::<Self>(Shape::Record(const {
                        &[$(
                            Field::of::<$name>(
                                stringify!($index),
                                std::mem::offset_of!(Self, $index),
                                Some($name::schema),
                            ),
                        )+]
                    }))
                }
            }
        }
    )*};
}

tuples! {
    (A 0)
    (A 0, B 1)
    (A 0, B 1, C 2)
    (A 0, B 1, C 2, D 3)
    (A 0, B 1, C 2, D 3, E 4)
    (A 0, B 1, C 2, D 3, E 4, F 5)
    (A 0, B 1, C 2, D 3, E 4, F 5, G 6)
    (A 0, B 1, C 2, D 3, E 4, F 5, G 6, H 7)
    (A 0, B 1, C 2, D 3, E 4, F 5, G 6, H 7, I 8)
    (A 0, B 1, C 2, D 3, E 4, F 5, G 6, H 7, I 8, J 9)
    (A 0, B 1, C 2, D 3, E 4, F 5, G 6, H 7, I 8, J 9, K 10)
    (A 0, B 1, C 2, D 3, E 4, F 5, G 6, H 7, I 8, J 9, K 10, L 11)
}
