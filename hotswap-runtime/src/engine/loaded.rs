//! What the system's loader has mapped: where a file lies in memory and what its parts may be used for.

use std::ffi::{CStr, c_int, c_void};
use std::slice;
use std::sync::OnceLock;

use hotswap_protocol::build_id::BuildId;

use crate::engine::elf::{self, Layout, Segment, Use};

/// A file in memory.
#[derive(Debug, Clone)]
pub(crate) struct Loaded {
    /// What is added to a virtual address of the file.
    pub(crate) base: usize,
    pub(crate) layout: Layout,
    pub(crate) build_id: Option<BuildId>,
}

impl Loaded {
    /// The address in memory of the file's virtual address `address`, if `bytes` bytes there are
    /// good for `purpose`.
    pub(crate) fn address(&self, address: u64, bytes: u64, purpose: Use) -> Option<*const ()> {
        if !self.layout.allows(address, bytes, purpose) {
            return None;
        }
        let address = self.base.checked_add(usize::try_from(address).ok()?)?;
        Some(std::ptr::with_exposed_provenance(address))
    }
}

/// A file as the loader lists it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Object {
    /// The name it was loaded by; empty for the executable.
    pub(crate) name: Vec<u8>,
    pub(crate) base: usize,
    pub(crate) segments: Vec<Segment>,
}

/// The running executable; none if the loader does not tell.
pub(crate) fn executable() -> Option<&'static Loaded> {
    static EXECUTABLE: OnceLock<Option<Loaded>> = OnceLock::new();
    EXECUTABLE.get_or_init(find_executable).as_ref()
}

fn find_executable() -> Option<Loaded> {
    let Object { base, segments, .. } = objects().into_iter().next()?;
    let layout = Layout::of_loaded(segments);
    let build_id = layout.notes().find_map(|notes| {
        let address = base.checked_add(usize::try_from(notes.address).ok()?)?;
        let bytes = usize::try_from(notes.memory_bytes).ok()?;
        // SAFETY: the loader reports this segment of the executable as mapped at `base`; the
        // executable is never unmapped, and notes are read-only data.
        let notes_in_memory = unsafe {
            slice::from_raw_parts(std::ptr::with_exposed_provenance::<u8>(address), bytes)
        };
        elf::find_build_id(notes_in_memory, notes.align)
    });
    Some(Loaded {
        base,
        layout,
        build_id,
    })
}

/// All files in memory, the executable first.
pub(crate) fn objects() -> Vec<Object> {
    let mut objects: Vec<Object> = Vec::new();
    // SAFETY: `add_object` has the type that `dl_iterate_phdr` calls, and takes its last argument
    // for the pointer to `objects` that is given here and outlives the call.
    unsafe { libc::dl_iterate_phdr(Some(add_object), (&raw mut objects).cast()) };
    objects
}

extern "C" fn add_object(
    info: *mut libc::dl_phdr_info,
    _info_bytes: usize,
    objects: *mut c_void,
) -> c_int {
    // SAFETY: the loader passes a valid record for the time of this call.
    let info = unsafe { &*info };
    // SAFETY: `objects` passes a pointer to such a variable and does not touch it meanwhile.
    let objects = unsafe { &mut *objects.cast::<Vec<Object>>() };
    // SAFETY: the loader's record points at that many program headers.
    let headers = unsafe { slice::from_raw_parts(info.dlpi_phdr, usize::from(info.dlpi_phnum)) };
    let name = if info.dlpi_name.is_null() {
        Vec::new()
    } else {
        // SAFETY: the loader's record points at a C string.
        unsafe { CStr::from_ptr(info.dlpi_name) }
            .to_bytes()
            .to_vec()
    };
    let segments = headers.iter().map(segment).collect();
    objects.push(Object {
        name,
        base: info.dlpi_addr as usize,
        segments,
    });
    0
}

fn segment(header: &libc::Elf64_Phdr) -> Segment {
    Segment {
        kind: header.p_type,
        flags: header.p_flags,
        offset: header.p_offset,
        address: header.p_vaddr,
        file_bytes: header.p_filesz,
        memory_bytes: header.p_memsz,
        align: header.p_align,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_executable_knows_its_own_parts() {
        static STATE: std::sync::atomic::AtomicU64 = std::sync::atomic::AtomicU64::new(5);
        fn code() {}
        let executable = executable().unwrap();
        let relative = |address: usize| (address - executable.base) as u64;
        let state = relative((&raw const STATE).addr());
        let code = relative(code as fn() as usize);
        let table = [
            (state, Use::State, true),
            (state, Use::Code, false),
            (code, Use::Code, true),
            (code, Use::State, false),
            (u64::MAX, Use::Code, false),
        ];
        for (address, purpose, expected) in table {
            let found = executable.address(address, 8, purpose);
            assert_eq!(found.is_some(), expected, "{address:#x} {purpose:?}");
        }
        assert_eq!(
            executable.address(state, 8, Use::State),
            Some((&raw const STATE).cast())
        );
    }
}
