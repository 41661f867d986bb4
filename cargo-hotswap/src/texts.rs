//! What the sources say, as far as that matters here: each content is parsed once.

use std::collections::{BTreeMap, HashMap};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use proc_macro2::TokenStream;

use crate::edits::{self, Items};
use crate::facts::on_all_processors;
use crate::interface;
use crate::reprs::{self, Types};

/// Larger files that are read with `include!` and its like are taken for data.
const MAX_INCLUDED: u64 = 1 << 20;

/// Contents that nothing asked for during as many edits are forgotten.
const EDITS_KEPT: u64 = 8;

/// What a source file says; nothing, if it does not consist of tokens.
#[derive(Debug, Default)]
pub struct Text {
    /// Its functions and statics; none if it does not parse.
    pub items: Items,
    /// Its types.
    pub types: Arc<Types>,
    /// A digest of what other crates can see of it; `None` if it does not parse.
    pub visible: Option<u128>,
}

impl Text {
    fn read(source: &str) -> Self {
        let text = match without_first_line(source).parse::<TokenStream>() {
            Ok(tokens) => Self::of_tokens(tokens),
            Err(_) => Self::default(),
        };
        // The parser keeps every text that it saw, for positions that nobody asks for from here on;
        // a session reads files for days.
        proc_macro2::extra::invalidate_current_thread_spans();
        text
    }

    fn of_tokens(tokens: TokenStream) -> Self {
        let types = Arc::new(reprs::types(tokens.clone()));
        let file = syn::parse2::<syn::File>(tokens).ok();
        Self {
            items: file.as_ref().map(edits::items).unwrap_or_default(),
            types,
            visible: file.map(|file| digest(interface::visible(file).as_bytes())),
        }
    }
}

/// The texts that were read lately, by digest of their content.
#[derive(Debug, Default)]
pub struct Texts(Mutex<Known>);

#[derive(Debug, Default)]
struct Known {
    /// With the edit that asked for it last.
    texts: HashMap<u128, (Arc<Text>, u64)>,
    edit: u64,
    /// What these files are taken to say, whatever they say by now.
    earlier: BTreeMap<PathBuf, Vec<u8>>,
}

impl Texts {
    /// Takes note of another edit.
    pub fn begin_edit(&self) {
        let mut known = self.known();
        known.edit += 1;
        let edit = known.edit;
        known
            .texts
            .retain(|_, (text, last)| Arc::strong_count(text) > 1 || *last + EDITS_KEPT > edit);
    }

    /// What this content says.
    pub fn of(&self, content: &[u8]) -> Arc<Text> {
        let key = digest(content);
        let found = |known: &mut Known| {
            let edit = known.edit;
            let (text, last) = known.texts.get_mut(&key)?;
            *last = edit;
            Some(Arc::clone(text))
        };
        if let Some(text) = found(&mut self.known()) {
            return text;
        }
        // Two threads may both read it; the lock is not held for so long.
        let text =
            Arc::new(std::str::from_utf8(content).map_or_else(|_| Text::default(), Text::read));
        let mut known = self.known();
        let edit = known.edit;
        known.texts.insert(key, (Arc::clone(&text), edit));
        text
    }

    /// Takes these files to say what they said earlier, from now on, and all others what they say.
    pub fn set_earlier(&self, said: BTreeMap<PathBuf, Vec<u8>>) {
        self.known().earlier = said;
    }

    /// What a file says; nothing, if it can't be read or is data.
    pub fn of_file(&self, file: &Path) -> Arc<Text> {
        let earlier = self.known().earlier.get(file).cloned();
        if let Some(content) = earlier {
            return self.of(&content);
        }
        let is_rust = file.extension().is_some_and(|ext| ext == "rs");
        let is_small = || std::fs::metadata(file).is_ok_and(|data| data.len() <= MAX_INCLUDED);
        if !is_rust && !is_small() {
            return Arc::default();
        }
        std::fs::read(file).map_or_else(|_| Arc::default(), |content| self.of(&content))
    }

    /// Reads all these files, so that they are known when they are asked for.
    pub fn read_ahead(&self, files: &[PathBuf]) {
        on_all_processors(files.len(), |at| drop(self.of_file(&files[at])));
    }

    fn known(&self) -> std::sync::MutexGuard<'_, Known> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// What files say now; nothing, if they can't be read.
pub fn contents<'a>(files: impl IntoIterator<Item = &'a PathBuf>) -> BTreeMap<PathBuf, Vec<u8>> {
    let content = |file: &PathBuf| (file.clone(), std::fs::read(file).unwrap_or_default());
    files.into_iter().map(content).collect()
}

/// A source without what may stand before its tokens; its lines keep their numbers.
fn without_first_line(source: &str) -> &str {
    let source = source.trim_start_matches('\u{feff}');
    let script = source.starts_with("#!") && !source[2..].trim_start().starts_with('[');
    if script {
        source.find('\n').map_or("", |end| &source[end..])
    } else {
        source
    }
}

fn digest(content: &[u8]) -> u128 {
    xxhash_rust::xxh3::xxh3_128(content)
}

#[cfg(test)]
mod tests {
    use std::path::PathBuf;
    use std::sync::Arc;

    use super::{EDITS_KEPT, Texts};

    #[test]
    fn each_content_is_read_once_while_it_is_asked_for() {
        let texts = Texts::default();
        let first = Arc::downgrade(&texts.of(b"fn a() {}"));
        assert!(first.ptr_eq(&Arc::downgrade(&texts.of(b"fn a() {}"))));
        for _ in 1..EDITS_KEPT {
            texts.begin_edit();
        }
        assert!(first.strong_count() == 1);
        texts.begin_edit();
        assert!(first.strong_count() == 0);
    }

    #[test]
    fn a_file_can_be_taken_to_say_what_it_said() {
        let texts = Texts::default();
        let file = PathBuf::from("/nowhere/a.rs");
        let types = || texts.of_file(&file).types.len();
        assert_eq!(types(), 0);
        texts.set_earlier([(file.clone(), b"struct A;".to_vec())].into());
        assert_eq!(types(), 1);
        texts.set_earlier([].into());
        assert_eq!(types(), 0);
    }

    #[test]
    fn what_no_parser_takes_says_nothing() {
        let texts = Texts::default();
        for (content, types, visible) in [
            ("struct A;", 1, true),
            ("\u{feff}#!/bin/sh\nstruct A;", 1, true),
            ("#![allow(x)] struct A;", 1, true),
            ("struct A; fn {", 0, false),
            ("struct A; fn", 1, false),
        ] {
            let text = texts.of(content.as_bytes());
            assert_eq!(text.types.len(), types, "{content:?}");
            assert_eq!(text.visible.is_some(), visible, "{content:?}");
        }
        assert!(texts.of(&[0xff]).types.is_empty());
    }
}
