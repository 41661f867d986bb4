//! Where events go: to stderr, or to a log while the program has the terminal for itself.

use std::io::Write;
use std::path::Path;
use std::process::ExitStatus;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use super::Event;
use super::log::Log;
use super::render::{self, Look};
use super::terminal::Terminal;

/// How events are written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum MessageFormat {
    /// Lines for people.
    #[default]
    Human,
    /// Lines for people, with the compiler's messages on one line each.
    Short,
    /// One JSON object a line.
    Json,
}

/// How much is told, and in which form.
#[derive(Debug, Clone, Copy, Default)]
pub struct Settings {
    /// The form.
    pub format: MessageFormat,
    /// Tell every detail.
    pub verbose: bool,
    /// Say no more than needed.
    pub quiet: bool,
    /// Whether to write colours; without an answer, as the terminal and the usual variables say.
    pub colour: Option<bool>,
}

/// Writes events to stderr: stdout is the program's. Clones write to the same place.
#[derive(Debug, Clone)]
pub struct Reporter(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    format: MessageFormat,
    colour: bool,
    look: Look,
    terminal: Option<Terminal>,
    /// The tool itself has set the terminal to give single keys.
    keys: AtomicBool,
    /// There is one while a program runs.
    log: Mutex<Option<Log>>,
}

impl Reporter {
    /// A reporter for this process's stderr.
    pub fn new(settings: Settings) -> Self {
        let terminal = Terminal::of_stderr();
        let choice = || anstream::AutoStream::choice(&std::io::stderr());
        let colour = settings
            .colour
            .unwrap_or_else(|| choice() != anstream::ColorChoice::Never);
        let look = Look {
            width: None,
            verbose: settings.verbose,
            quiet: settings.quiet,
            ended: false,
            folder: std::env::current_dir().unwrap_or_default(),
        };
        Self(Arc::new(Inner {
            format: settings.format,
            colour,
            look,
            terminal,
            keys: AtomicBool::new(false),
            log: Mutex::default(),
        }))
    }

    /// The form of events.
    pub fn format(&self) -> MessageFormat {
        self.0.format
    }

    /// Whether messages of the compiler are to be coloured.
    pub fn colour(&self) -> bool {
        self.0.colour
    }

    /// Writes one event. A closed stderr is no reason to end a running program.
    pub fn report(&self, event: &Event) {
        self.write(event, |look| render::human(event, look));
    }

    /// Writes a text that answers a question of somebody at the terminal; programs don't read it.
    pub fn text(&self, text: &str) {
        if self.0.format != MessageFormat::Json {
            self.put(text);
        }
    }

    /// Whether the tool itself reads single keys from the terminal: then it is not the program
    /// that has it for itself.
    pub fn set_keys(&self, keys: bool) {
        self.0.keys.store(keys, Ordering::Relaxed);
    }

    /// A program runs from now on. While it draws on the terminal, events go to a log in this
    /// folder.
    pub fn program_started(&self, folder: &Path) {
        let abridged = self.0.format != MessageFormat::Json;
        *self.log() = Some(Log::new(folder, abridged));
    }

    /// The program has ended: tells what was kept in the log, and gives the terminal back the
    /// settings that it had before a program that was killed changed them. That is worth a word unless the
    /// tool was `asked` to end it.
    pub fn program_ended(&self, status: ExitStatus, asked: bool) {
        let log = self.log().take();
        // What a program leaves behind that ends by itself is its own affair.
        let killed = std::os::unix::process::ExitStatusExt::signal(&status).is_some();
        let terminal = self.0.terminal.as_ref();
        let left = terminal.filter(|_| killed && self.is_taken());
        let restored = left.is_some_and(|terminal| terminal.restore().is_ok());
        if let Some(mut log) = log {
            self.put(&log.digest(&self.look(), false));
        }
        if restored && !asked {
            let message = "the program was killed while it had the terminal in raw mode, whose \
                           settings are again what they were before";
            self.report(&Event::Warning {
                message: message.to_owned(),
            });
        }
    }

    fn write(&self, event: &Event, human: impl Fn(&Look) -> String) {
        let look = self.look();
        let text = match self.0.format {
            MessageFormat::Json => event.json() + "\n",
            MessageFormat::Human | MessageFormat::Short => human(&look),
        };
        if text.is_empty() {
            return;
        }
        let taken = self.is_taken();
        match self.log().as_mut() {
            Some(log) if taken => log.keep(event, &text),
            Some(log) => {
                let before = log.digest(&look, true);
                self.put(&(before + &text));
            }
            None => self.put(&text),
        }
    }

    fn is_taken(&self) -> bool {
        let terminal = self.0.terminal.as_ref();
        !self.0.keys.load(Ordering::Relaxed) && terminal.is_some_and(Terminal::is_taken)
    }

    fn look(&self) -> Look {
        let terminal = self.0.terminal.as_ref();
        Look {
            width: terminal.and_then(Terminal::width),
            ended: self.log().is_none(),
            ..self.0.look.clone()
        }
    }

    fn log(&self) -> std::sync::MutexGuard<'_, Option<Log>> {
        self.0.log.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn put(&self, text: &str) {
        let plain;
        let text = if self.0.colour {
            text
        } else {
            plain = anstream::adapter::strip_str(text).to_string();
            &plain
        };
        let _ = std::io::stderr().lock().write_all(text.as_bytes());
    }
}
