//! Completions of command lines, from the one definition of the command line.

use clap_complete::Shell;

use crate::cli;

/// The executable's name, for which the shells know completions.
const NAME: &str = "cargo-hotswap";

/// The name in the script for bash, whose generator takes a hyphen for a step down.
const BASH_NAME: &str = "cargo_hotswap";

/// The shells that can be completed in.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub enum CompletedShell {
    /// bash
    Bash,
    /// fish
    Fish,
    /// zsh
    Zsh,
}

/// The script that teaches a shell to complete `cargo hotswap …` and `cargo-hotswap hotswap …`.
pub fn script(shell: CompletedShell) -> String {
    let generator = match shell {
        CompletedShell::Bash => Shell::Bash,
        CompletedShell::Fish => Shell::Fish,
        CompletedShell::Zsh => Shell::Zsh,
    };
    let name = match shell {
        CompletedShell::Bash => BASH_NAME,
        CompletedShell::Fish | CompletedShell::Zsh => NAME,
    };
    let mut command = cli::command().name(name);
    let mut script = Vec::new();
    clap_complete::generate(generator, &mut command, name, &mut script);
    let script = String::from_utf8_lossy(&script).into_owned();
    match shell {
        CompletedShell::Bash => {
            let registered = format!(" {BASH_NAME}\n");
            script.replace(&registered, &format!(" {NAME}\n")) + BASH
        }
        CompletedShell::Fish => script + &fish_positionals() + FISH,
        CompletedShell::Zsh => script.replacen("_cargo-hotswap() {\n", ZSH, 1),
    }
}

/// Cargo's completion does not ask others about their commands, so it is asked by this one, which
/// stands in its place.
const BASH: &str = r#"
_cargo_hotswap_of_cargo() {
    local at=1 words
    if [[ ${COMP_WORDS[1]} == +* ]]; then
        at=2
    fi
    if [[ ${COMP_WORDS[at]} == hotswap && ${COMP_CWORD} -gt ${at} ]]; then
        words=(cargo-hotswap "${COMP_WORDS[@]:at}")
        local COMP_CWORD=$((COMP_CWORD - at + 1))
        local COMP_WORDS=("${words[@]}")
        _cargo_hotswap cargo-hotswap "$2" "$3"
        return
    fi
    if [[ -z ${_cargo_hotswap_before-} ]]; then
        # Cargo's own may be loaded when it is first needed only.
        local loader
        for loader in _comp_load _completion_loader; do
            if declare -F "${loader}" >/dev/null; then
                "${loader}" cargo >/dev/null 2>&1
                break
            fi
        done
        _cargo_hotswap_take_cargo
    fi
    if [[ -n ${_cargo_hotswap_before} && ${_cargo_hotswap_before} != none ]]; then
        "${_cargo_hotswap_before}" "$@"
    fi
}

_cargo_hotswap_take_cargo() {
    local now
    now=$(complete -p cargo 2>/dev/null)
    if [[ ${now} =~ \ -F\ ([^ ]+) && ${BASH_REMATCH[1]} != _cargo_hotswap_of_cargo ]]; then
        _cargo_hotswap_before=${BASH_REMATCH[1]}
    elif [[ -n ${now} && -z ${_cargo_hotswap_before-} ]]; then
        _cargo_hotswap_before=none
    fi
    complete -F _cargo_hotswap_of_cargo -o bashdefault -o default cargo
}

if complete -p cargo >/dev/null 2>&1; then
    _cargo_hotswap_take_cargo
else
    complete -F _cargo_hotswap_of_cargo -o bashdefault -o default cargo
fi
"#;

/// Cargo's completion asks the function of this name, with `hotswap` as the first word.
const ZSH: &str = "_cargo-hotswap() {
    if [[ $words[1] == hotswap ]]; then
        words=(cargo-hotswap \"${words[@]}\")
        (( CURRENT++ ))
    fi
";

/// Arguments without a flag, which the generator for fish leaves out.
fn fish_positionals() -> String {
    let cargo = cli::command();
    let verbs = cargo
        .get_subcommands()
        .flat_map(clap::Command::get_subcommands);
    let mut lines = String::new();
    for verb in verbs {
        let values = verb
            .get_positionals()
            .flat_map(clap::Arg::get_possible_values);
        let names: Vec<String> = values.map(|value| value.get_name().to_owned()).collect();
        if !names.is_empty() {
            lines += &format!(
                "complete -c {NAME} -n \"__fish_cargo_hotswap_using_subcommand hotswap; and \
                 __fish_seen_subcommand_from {}\" -f -a \"{}\"\n",
                verb.get_name(),
                names.join(" ")
            );
        }
    }
    lines
}

/// Asks what would complete the same words of the executable itself.
const FISH: &str = r#"
function __fish_cargo_hotswap_words
    set -l words (commandline -opc)
    set -e words[1]
    if string match -q -- '+*' "$words[1]"
        set -e words[1]
    end
    test "$words[1]" = hotswap
    or return 1
    printf '%s\n' $words
end

function __fish_cargo_hotswap_of_cargo
    set -l words (__fish_cargo_hotswap_words)
    set -l current (commandline -ct)
    complete -C "cargo-hotswap "(string join -- ' ' (string escape -- $words) $current)
end

complete -c cargo -n __fish_cargo_hotswap_words -f -a "(__fish_cargo_hotswap_of_cargo)"
complete -c cargo -n __fish_use_subcommand -f -a hotswap -d "Replace the code of a running Rust program"
"#;
