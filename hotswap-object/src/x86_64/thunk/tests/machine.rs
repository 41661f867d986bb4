//! Runs a piece of code with given registers, flags, stack and memory.

use std::arch::naked_asm;
use std::ptr;

/// Address the code is decoded at; branches in it are relative, so it may run elsewhere.
pub const CODE: u64 = 0x10000;
/// Bytes of state that the code may reach.
const STATE_SIZE: usize = 128;
const RED_ZONE: usize = 16;
const MAPPING: usize = 4096;

/// What code may read and change.
#[derive(Debug, Clone, PartialEq)]
#[repr(C, align(32))]
pub struct State {
    /// In the processor's order; that of the stack pointer is not set.
    pub registers: [u64; 16],
    pub flags: u64,
    saved_stack: u64,
    pub vectors: [[u64; 4]; 2],
    /// Words below the stack pointer.
    pub red_zone: [u64; RED_ZONE],
    pub memory: [u8; STATE_SIZE],
}

impl State {
    /// Recognisable values everywhere.
    pub fn patterned(flags: u64) -> Self {
        let mut state = Self {
            registers: std::array::from_fn(|index| 0x0101_0101_0101_0101 * (index as u64 + 1)),
            flags,
            saved_stack: 0,
            vectors: [
                [1.25_f64.to_bits(), 3, 5, 7],
                [0.5_f64.to_bits(), 11, 13, 17],
            ],
            red_zone: std::array::from_fn(|index| 0xa5a5_0000 + index as u64),
            memory: std::array::from_fn(|index| (index * 7 + 3) as u8),
        };
        // Equal to the first word of the memory, so that one exchange succeeds.
        let word: [u8; 8] = state.memory[..8].try_into().unwrap();
        state.registers[0] = u64::from_le_bytes(word);
        state
    }
}

/// A page of code, and a page of state far from it.
pub struct Machine {
    code: *mut u8,
    far: *mut u8,
}

impl Machine {
    pub fn new() -> Self {
        let code = map(libc::PROT_READ | libc::PROT_WRITE | libc::PROT_EXEC);
        let far = map(libc::PROT_READ | libc::PROT_WRITE);
        Self { code, far }
    }

    pub fn address(&self) -> u64 {
        self.code as u64
    }

    pub fn far_address(&self) -> u64 {
        self.far as u64
    }

    pub fn put(&mut self, at: usize, bytes: &[u8]) {
        assert!(at + bytes.len() <= MAPPING);
        // SAFETY: the mapping is this machine's own and has that many bytes.
        unsafe { ptr::copy_nonoverlapping(bytes.as_ptr(), self.code.add(at), bytes.len()) };
    }

    pub fn put_far(&mut self, bytes: &[u8]) {
        assert!(bytes.len() <= MAPPING);
        // SAFETY: the mapping is this machine's own and has that many bytes.
        unsafe { ptr::copy_nonoverlapping(bytes.as_ptr(), self.far, bytes.len()) };
    }

    pub fn get(&self, at: usize, bytes: &mut [u8]) {
        assert!(at + bytes.len() <= MAPPING);
        // SAFETY: as for `put`.
        unsafe { ptr::copy_nonoverlapping(self.code.add(at), bytes.as_mut_ptr(), bytes.len()) };
    }

    pub fn get_far(&self, bytes: &mut [u8]) {
        assert!(bytes.len() <= MAPPING);
        // SAFETY: as for `put_far`.
        unsafe { ptr::copy_nonoverlapping(self.far, bytes.as_mut_ptr(), bytes.len()) };
    }

    /// Calls the code from `start` and returns what it left.
    pub fn run(&self, start: &State) -> State {
        let mut state = start.clone();
        // SAFETY: the code keeps the stack balanced and returns; `enter` saves and restores all
        // that the compiler relies on.
        unsafe { enter(self.code, &raw mut state) };
        state.saved_stack = 0;
        state.registers[4] = 0;
        state
    }
}

impl Drop for Machine {
    fn drop(&mut self) {
        for mapping in [self.code, self.far] {
            // SAFETY: `map` made the mapping, and nothing refers to it any more.
            unsafe { libc::munmap(mapping.cast(), MAPPING) };
        }
    }
}

fn map(protection: libc::c_int) -> *mut u8 {
    // SAFETY: a fresh anonymous mapping touches nothing that exists.
    let mapping = unsafe {
        libc::mmap(
            ptr::null_mut(),
            MAPPING,
            protection,
            libc::MAP_PRIVATE | libc::MAP_ANONYMOUS,
            -1,
            0,
        )
    };
    assert_ne!(mapping, libc::MAP_FAILED);
    mapping.cast()
}

/// Where `enter` keeps the state's address while every register belongs to the code.
static mut CURRENT: *mut State = ptr::null_mut();
static TURN: std::sync::Mutex<()> = std::sync::Mutex::new(());

unsafe fn enter(code: *const u8, state: *mut State) {
    let _turn = TURN
        .lock()
        .unwrap_or_else(std::sync::PoisonError::into_inner);
    // SAFETY: the caller's promise, and the lock: `CURRENT` has one user at a time.
    unsafe { enter_locked(code, state) };
}

/// Loads all registers from `state`, calls `code`, and stores them.
#[unsafe(naked)]
unsafe extern "sysv64" fn enter_locked(code: *const u8, state: *mut State) {
    naked_asm!(
        "push rbx", "push rbp", "push r12", "push r13", "push r14", "push r15", "pushfq",
        "mov [rip + {current}], rsi",
        "mov [rsi + 136], rsp",
        // The code starts with the stack pointer 16 bytes down: its own address, which is called
        // through memory, and the return address.
        "push rdi",
        // The words below where the stack pointer will be.
        "lea rcx, [rsp - 136]",
        "lea rdx, [rsi + 208]",
        "xor eax, eax",
        "2:", "mov rbx, [rdx + rax * 8]", "mov [rcx + rax * 8], rbx", "inc rax", "cmp rax, 16", "jne 2b",
        "movups xmm0, [rsi + 144]", "movups xmm1, [rsi + 176]",
        "push qword ptr [rsi + 128]", "popfq",
        // That used the top word of the red zone's neighbour, which the call will fill.
        "mov rax, [rsi]", "mov rcx, [rsi + 8]", "mov rdx, [rsi + 16]", "mov rbx, [rsi + 24]",
        "mov rbp, [rsi + 40]", "mov rdi, [rsi + 56]",
        "mov r8, [rsi + 64]", "mov r9, [rsi + 72]", "mov r10, [rsi + 80]", "mov r11, [rsi + 88]",
        "mov r12, [rsi + 96]", "mov r13, [rsi + 104]", "mov r14, [rsi + 112]", "mov r15, [rsi + 120]",
        "mov rsi, [rsi + 48]",
        "call [rsp]",
        "mov [rsp], rsi",
        "mov rsi, [rip + {current}]",
        "mov [rsi], rax", "mov [rsi + 8], rcx", "mov [rsi + 16], rdx", "mov [rsi + 24], rbx",
        "mov [rsi + 40], rbp", "mov [rsi + 56], rdi",
        "mov [rsi + 64], r8", "mov [rsi + 72], r9", "mov [rsi + 80], r10", "mov [rsi + 88], r11",
        "mov [rsi + 96], r12", "mov [rsi + 104], r13", "mov [rsi + 112], r14", "mov [rsi + 120], r15",
        "pop rax", "mov [rsi + 48], rax",
        "lea rsp, [rsp - 8]",
        "pushfq", "pop qword ptr [rsi + 128]",
        "movups [rsi + 144], xmm0", "movups [rsi + 176], xmm1",
        "lea rcx, [rsp - 136]",
        "lea rdx, [rsi + 208]",
        "xor eax, eax",
        "3:", "mov rbx, [rcx + rax * 8]", "mov [rdx + rax * 8], rbx", "inc rax", "cmp rax, 16", "jne 3b",
        "fninit",
        "mov rsp, [rsi + 136]",
        "popfq", "pop r15", "pop r14", "pop r13", "pop r12", "pop rbp", "pop rbx",
        "ret",
        current = sym CURRENT,
    )
}
