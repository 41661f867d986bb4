//! A smallest shared object that the system's loader accepts, put together byte by byte for tests.

/// Where its one function stands. It returns the number the sample was made with.
pub(crate) const CODE: u64 = 0x800;
/// Where its writable data begins: the descriptor of an entry whose body is its one function.
pub(crate) const STATE: u64 = 0x1800;
/// Bytes of file and of address space.
pub(crate) const BYTES: u64 = 0x2000;
/// Where the program headers stand.
pub(crate) const HEADERS: usize = 64;
/// Where the build id's note stands.
pub(crate) const NOTE: usize = 0x300;
/// The build id.
pub(crate) const BUILD_ID: [u8; 4] = [0xde, 0xad, 0xbe, 0xef];

const DYNAMIC: usize = 0x1000;
const SYMBOLS: usize = 0x400;
const STRINGS: usize = 0x480;
const HASH: usize = 0x500;
const RELOCATIONS: usize = 0x580;
const RELOCATED: u64 = 0x1900;
const STRING_BYTES: u64 = 0x40;

const ABSOLUTE_ADDRESS: u64 = 6;
const ADDED_TO_BASE: u64 = 8;

/// A sample whose function returns `number`. With `needs`, it refers to that symbol and has to have
/// it when it is loaded.
pub(crate) fn sample(number: u32, needs: Option<&str>) -> Vec<u8> {
    let mut file = vec![0; BYTES as usize];
    write_header(&mut file);
    write_segments(&mut file);
    put(
        &mut file,
        NOTE,
        &[4u32, 4, 3].map(u32::to_le_bytes).concat(),
    );
    put(&mut file, NOTE + 12, b"GNU\0");
    put(&mut file, NOTE + 16, &BUILD_ID);
    let code = [&[0xb8][..], &number.to_le_bytes(), &[0xc3]].concat();
    put(&mut file, CODE as usize, &code);
    // One bucket, two symbols, the chain empty: nothing is defined.
    put(
        &mut file,
        HASH,
        &[1u32, 2, 0, 0, 0].map(u32::to_le_bytes).concat(),
    );
    put(&mut file, STRINGS + 1, b"sample");
    // Format 1, counted, no slot, no hidden type; name and signature are the text above.
    put(&mut file, STATE as usize, &[1]);
    put(&mut file, STATE as usize + 16, &[6]);
    put(&mut file, STATE as usize + 32, &[6]);
    let text = STRINGS as u64 + 1;
    let mut relocations = vec![
        [STATE + 8, ADDED_TO_BASE, text],
        [STATE + 24, ADDED_TO_BASE, text],
    ];
    if let Some(name) = needs {
        put(&mut file, STRINGS + 8, name.as_bytes());
        // A global function, undefined.
        put(&mut file, SYMBOLS + 24, &[8, 0, 0, 0, 0x12]);
        relocations.push([RELOCATED, 1 << 32 | ABSOLUTE_ADDRESS, 0]);
    }
    let bytes = relocations
        .concat()
        .into_iter()
        .flat_map(u64::to_le_bytes)
        .collect::<Vec<_>>();
    put(&mut file, RELOCATIONS, &bytes);
    write_dynamic(&mut file, bytes.len() as u64);
    file
}

fn write_header(file: &mut [u8]) {
    put(file, 0, b"\x7fELF\x02\x01\x01");
    put(file, 16, &[3, 0, 62, 0, 1]);
    put(file, 32, &(HEADERS as u64).to_le_bytes());
    put(file, 52, &[64, 0, 56, 0, 4]);
}

fn write_segments(file: &mut [u8]) {
    // Type, flags, offset and address, bytes, alignment.
    let segments: [(u32, u32, u64, u64, u64); 4] = [
        (1, 5, 0, 0x1000, 0x1000),
        (1, 6, 0x1000, 0x1000, 0x1000),
        (2, 6, DYNAMIC as u64, 0x100, 8),
        (4, 4, NOTE as u64, 20, 4),
    ];
    for (index, (kind, flags, start, bytes, align)) in segments.into_iter().enumerate() {
        let fields = [start, start, start, bytes, bytes, align]
            .map(u64::to_le_bytes)
            .concat();
        let at = HEADERS + index * 56;
        put(file, at, &[kind, flags].map(u32::to_le_bytes).concat());
        put(file, at + 8, &fields);
    }
}

fn write_dynamic(file: &mut [u8], relocation_bytes: u64) {
    let entries = [
        [4, HASH as u64],
        [5, STRINGS as u64],
        [6, SYMBOLS as u64],
        [7, RELOCATIONS as u64],
        [8, relocation_bytes],
        [9, 24],
        [10, STRING_BYTES],
        [11, 24],
    ];
    let bytes = entries
        .concat()
        .into_iter()
        .flat_map(u64::to_le_bytes)
        .collect::<Vec<_>>();
    put(file, DYNAMIC, &bytes);
}

/// Overwrites part of a file.
pub(crate) fn put(file: &mut [u8], at: usize, bytes: &[u8]) {
    file[at..at + bytes.len()].copy_from_slice(bytes);
}
