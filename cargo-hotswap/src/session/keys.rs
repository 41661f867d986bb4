//! Single keys from the terminal, while nobody else reads it.

use std::io::{IsTerminal, pipe};
use std::os::fd::AsFd;
use std::thread::JoinHandle;

use rustix::event::{PollFd, PollFlags, poll};
use rustix::process::getpgrp;
use rustix::termios::{
    LocalModes, OptionalActions, SpecialCodeIndex, Termios, tcgetattr, tcgetpgrp, tcsetattr,
};

/// Reads keys until it is dropped, which gives the terminal back as it was.
#[derive(Debug)]
pub struct Keys {
    before: Termios,
    // Closing it ends the thread.
    wake: Option<std::io::PipeWriter>,
    thread: Option<JoinHandle<()>>,
}

/// Whether there is somebody at a terminal, who sees what is told and whose keys are for this
/// process: scripts must never be waited for.
pub fn has_terminal() -> bool {
    let stdin = std::io::stdin();
    stdin.is_terminal()
        && std::io::stderr().is_terminal()
        && tcgetpgrp(stdin.as_fd()).is_ok_and(|group| group == getpgrp())
}

impl Keys {
    /// Reads keys from now on, and calls `tell` with each. None without a terminal.
    pub fn read(tell: impl Fn(u8) -> bool + Send + 'static) -> Option<Self> {
        if !has_terminal() {
            return None;
        }
        let stdin = std::io::stdin();
        let before = tcgetattr(&stdin).ok()?;
        let mut modes = before.clone();
        modes
            .local_modes
            .remove(LocalModes::ICANON | LocalModes::ECHO);
        modes.special_codes[SpecialCodeIndex::VMIN] = 1;
        modes.special_codes[SpecialCodeIndex::VTIME] = 0;
        let (woken, wake) = pipe().ok()?;
        tcsetattr(&stdin, OptionalActions::Now, &modes).ok()?;
        let thread = std::thread::spawn(move || read_until_woken(&woken, tell));
        Some(Self {
            before,
            wake: Some(wake),
            thread: Some(thread),
        })
    }
}

impl Drop for Keys {
    fn drop(&mut self) {
        self.wake = None;
        if let Some(thread) = self.thread.take() {
            // A panic in it took no more than the keys.
            let _ = thread.join();
        }
        restore(&self.before);
    }
}

/// The terminal's modes, to be given back after a program that may have changed them.
pub fn modes() -> Option<Termios> {
    has_terminal().then(|| tcgetattr(std::io::stdin()).ok())?
}

/// Gives the terminal these modes. From the background that would stop the process, so it is left.
pub fn restore(modes: &Termios) {
    if has_terminal() {
        // A terminal that is gone has no modes.
        let _ = tcsetattr(std::io::stdin(), OptionalActions::Now, modes);
    }
}

fn read_until_woken(woken: &impl AsFd, tell: impl Fn(u8) -> bool) {
    let stdin = std::io::stdin();
    loop {
        let mut ready = [
            PollFd::new(&stdin, PollFlags::IN),
            PollFd::new(woken, PollFlags::IN),
        ];
        match poll(&mut ready, None) {
            Err(rustix::io::Errno::INTR) => continue,
            Err(_) => return,
            Ok(_) => {}
        }
        if !ready[1].revents().is_empty() {
            return;
        }
        let mut keys = [0; 16];
        match rustix::io::read(&stdin, &mut keys) {
            Err(rustix::io::Errno::INTR) => {}
            Ok(0) | Err(_) => return,
            Ok(count) => {
                if !keys[..count].iter().all(|key| tell(*key)) {
                    return;
                }
            }
        }
    }
}
