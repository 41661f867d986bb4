//! Containers of the user's, whose elements can be changed one by one.
//!
//! Nothing here trusts the user's functions with more than their types say. Elements are listed
//! through exclusive references that all live at the same time, so each is there once and belongs to
//! nobody else. They are handed over wrapped, so that dropping one does nothing: what moves is in the
//! old container until the swap stands. And what was built is counted.

use std::hash::Hash;
use std::mem::ManuallyDrop;

use crate::migrate::Migrate;
use crate::migrate::maps::{Entry, same_layout};
use crate::migrate::schema::Of;

/// A container whose elements can be changed one by one.
///
/// Implement it for a container of your own, or for a struct around one of another crate, and derive
/// [`Migrate`](trait@Migrate) with `#[migrate(container(T))]`, which names the type parameter of the
/// elements. When an edit changes that type, or the container itself, the old code lists the elements
/// and the new code builds a container of the changed ones. Between the two only numbers go over.
///
/// ```
/// use hotswap::{Container, Migrate};
///
/// /// Elements under numbers that stay the same.
/// #[derive(Migrate)]
/// #[migrate(container(T))]
/// struct Arena<T> {
///     slots: Vec<Option<T>>,
/// }
///
/// impl<T> Container for Arena<T> {
///     type Element = T;
///     type Of<E> = Arena<E>;
///
///     fn elements(&mut self) -> impl Iterator<Item = (u64, &mut T)> {
///         let slots = self.slots.iter_mut().zip(0..);
///         slots.filter_map(|(slot, number)| Some((number, slot.as_mut()?)))
///     }
///
///     fn rest(&self) -> Vec<u64> {
///         vec![self.slots.len() as u64]
///     }
///
///     fn build(elements: impl ExactSizeIterator<Item = (u64, T)>, rest: &[u64]) -> Self {
///         let mut slots: Vec<Option<T>> = (0..rest[0]).map(|_| None).collect();
///         for (number, element) in elements {
///             slots[number as usize] = Some(element);
///         }
///         Self { slots }
///     }
/// }
/// ```
///
/// # Panics and faults
///
/// A function that panics, or takes too long, refuses the swap. So does a container that holds another
/// number of elements after `build` than it was given. Elements that `elements` leaves out are lost
/// in the swap, and never dropped.
pub trait Container: Sized {
    /// What it holds.
    type Element;

    /// The same container, of elements of another type: `Arena<E>`.
    type Of<E>: Container<Element = E>;

    /// All elements, each with a number that [`build`](Self::build) gets beside it, for example its
    /// place. This must change nothing.
    fn elements(&mut self) -> impl Iterator<Item = (u64, &mut Self::Element)>;

    /// What else `build` has to know. None unless written otherwise.
    fn rest(&self) -> Vec<u64> {
        Vec::new()
    }

    /// Builds a container of these elements, in the order and with the numbers of
    /// [`elements`](Self::elements). `rest` is what [`rest`](Self::rest) has told, which may have been
    /// that of an older version.
    fn build(elements: impl ExactSizeIterator<Item = (u64, Self::Element)>, rest: &[u64]) -> Self;
}

/// A map whose keys and values can be changed one by one, as a [`Container`]'s elements.
///
/// Derive [`Migrate`](trait@Migrate) with `#[migrate(container(K, V))]`.
pub trait MapContainer: Sized {
    /// By what values are found.
    type Key: Hash + Eq;

    /// What it holds.
    type Value;

    /// The same map, of other keys and values.
    type Of<K: Hash + Eq, V>: MapContainer<Key = K, Value = V>;

    /// All keys and values, each with a number that [`build`](Self::build) gets beside them. This must
    /// change nothing.
    fn entries(&mut self) -> impl Iterator<Item = (u64, (&mut Self::Key, &mut Self::Value))>;

    /// What else `build` has to know. None unless written otherwise.
    fn rest(&self) -> Vec<u64> {
        Vec::new()
    }

    /// Builds a map of these, in the order and with the numbers of [`entries`](Self::entries). If two
    /// keys have become equal, one of the values has no place: the swap is refused then.
    fn build(
        entries: impl ExactSizeIterator<Item = (u64, (Self::Key, Self::Value))>,
        rest: &[u64],
    ) -> Self;
}

/// What is in a container.
#[derive(Debug, Default)]
pub struct Listed {
    /// The addresses of the elements' parts.
    pub elements: Vec<Entry>,
    /// The number of each.
    pub numbers: Vec<u64>,
    /// What else there is.
    pub rest: Vec<u64>,
}

/// What can be done with such a container, whatever its elements are. All of it runs functions of the
/// user's, which may panic.
///
/// # Safety
///
/// An address given as a container's is that of a valid one, and nobody else uses it meanwhile; a
/// place is good for writing one.
#[derive(Debug)]
pub struct Custom {
    /// The types of an element's parts, one or two.
    pub parts: &'static [Of],
    /// Tells what is in it.
    pub list: unsafe fn(*mut u8) -> Listed,
    /// Makes a container of elements at these addresses, which count as moved afterwards. If it fails
    /// or panics, there is none, and the elements are as they were.
    pub build: unsafe fn(&Listed, *mut u8) -> Result<(), String>,
    /// Takes a container away without dropping its elements.
    pub release: unsafe fn(*mut u8),
}

/// `T` with a destructor that does nothing.
type Kept<T> = ManuallyDrop<T>;

/// The container with elements whose destructors do nothing.
type KeptContainer<C> = <C as Container>::Of<Kept<<C as Container>::Element>>;

/// The same of a map.
type KeptMap<C> =
    <C as MapContainer>::Of<Kept<<C as MapContainer>::Key>, Kept<<C as MapContainer>::Value>>;

impl Custom {
    /// What can be done with the container `C`, for which `C::Of<C::Element>` is `C`.
    #[must_use]
    pub const fn container<C: Container>() -> Self
    where
        C::Element: Migrate,
    {
        same_layout::<C, KeptContainer<C>>();
        Self {
            parts: const { &[<C::Element as Migrate>::schema as Of] },
            list: list::<KeptContainer<C>>,
            build: build::<KeptContainer<C>>,
            release: release::<KeptContainer<C>>,
        }
    }

    /// What can be done with the map `C`, for which `C::Of<C::Key, C::Value>` is `C`.
    #[must_use]
    pub const fn map<C: MapContainer>() -> Self
    where
        C::Key: Migrate,
        C::Value: Migrate,
    {
        same_layout::<C, KeptMap<C>>();
        Self {
            parts: const {
                &[
                    <C::Key as Migrate>::schema as Of,
                    <C::Value as Migrate>::schema as Of,
                ]
            },
            list: list_map::<KeptMap<C>>,
            build: build_map::<KeptMap<C>>,
            release: release::<KeptMap<C>>,
        }
    }
}

unsafe fn list<C: Container>(container: *mut u8) -> Listed {
    // SAFETY: the promise of `Custom`. `C` has elements that dropping does nothing to; that it has the
    // layout of the container itself is what `same_layout` speaks of.
    let container = unsafe { &mut *container.cast::<C>() };
    let rest = container.rest();
    // All references live until the end, so they are to different elements, that are nobody else's.
    let elements: Vec<(u64, &mut C::Element)> = container.elements().collect();
    Listed {
        numbers: elements.iter().map(|(number, _)| *number).collect(),
        elements: elements
            .into_iter()
            .map(|(_, it)| [address(it); 2])
            .collect(),
        rest,
    }
}

/// A map's entry as it is listed.
type Lent<'a, C> = (
    u64,
    (
        &'a mut <C as MapContainer>::Key,
        &'a mut <C as MapContainer>::Value,
    ),
);

unsafe fn list_map<C: MapContainer>(map: *mut u8) -> Listed {
    // SAFETY: as in `list`.
    let map = unsafe { &mut *map.cast::<C>() };
    let rest = map.rest();
    let entries: Vec<Lent<'_, C>> = map.entries().collect();
    let parts = |(_, (key, value)): Lent<'_, C>| [address(key), address(value)];
    Listed {
        numbers: entries.iter().map(|(number, _)| *number).collect(),
        elements: entries.into_iter().map(parts).collect(),
        rest,
    }
}

unsafe fn build<C: Container>(listed: &Listed, place: *mut u8) -> Result<(), String> {
    let elements = listed.elements.iter().zip(&listed.numbers);
    // Each is taken once; what is not taken stays where it is.
    let elements = elements.map(|([element, _], number)| (*number, take(*element)));
    let mut container = C::build(elements, &listed.rest);
    check(container.elements().count(), listed)?;
    // SAFETY: the promise of `Custom`.
    unsafe { place.cast::<C>().write(container) };
    Ok(())
}

unsafe fn build_map<C: MapContainer>(listed: &Listed, place: *mut u8) -> Result<(), String> {
    let entries = listed.elements.iter().zip(&listed.numbers);
    let entries = entries.map(|([key, value], number)| (*number, (take(*key), take(*value))));
    let mut map = C::build(entries, &listed.rest);
    check(map.entries().count(), listed)?;
    // SAFETY: the promise of `Custom`.
    unsafe { place.cast::<C>().write(map) };
    Ok(())
}

/// An element that was forgotten would be lost.
fn check(found: usize, listed: &Listed) -> Result<(), String> {
    let given = listed.elements.len();
    if found == given {
        return Ok(());
    }
    Err(format!("it was built of {given} elements, and has {found}"))
}

unsafe fn release<C>(place: *mut u8) {
    // SAFETY: the promise of `Custom`; dropping the elements does nothing.
    drop(unsafe { place.cast::<C>().read() });
}

fn address<T>(value: &mut T) -> *const u8 {
    std::ptr::from_mut(value).cast_const().cast()
}

fn take<T>(part: *const u8) -> T {
    // SAFETY: only `build` and `build_map` call this, for parts whose types the runtime has checked,
    // and whose destructors do nothing.
    unsafe { part.cast::<T>().read() }
}
