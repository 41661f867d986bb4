//! What frameworks call again and again, and by which words a program tells them.

/// How functions are handed to a framework.
pub struct Framework {
    /// Any of these packages must be a dependency.
    pub packages: &'static [&'static str],
    /// Attributes of functions that it calls.
    pub attributes: &'static [&'static str],
    /// Functions and methods that take a function.
    pub takers: &'static [&'static str],
    /// Methods of traits that it calls: the trait, and the methods, all if there are none.
    pub traits: &'static [(&'static str, &'static [&'static str])],
    /// Methods and functions that call a closure again and again.
    pub callers: &'static [&'static str],
    /// What it calls them.
    pub what: &'static str,
}

const NONE: Framework = Framework {
    packages: &[],
    attributes: &[],
    takers: &[],
    traits: &[],
    callers: &[],
    what: "",
};

const METHODS: &[&str] = &[
    "get",
    "post",
    "put",
    "delete",
    "patch",
    "head",
    "options",
    "trace",
    "any",
    "connect",
    "on",
    "fallback",
    "from_fn",
    "from_fn_with_state",
    "map_request",
    "map_response",
    "method_not_allowed_fallback",
];

/// All that are known.
pub const FRAMEWORKS: &[Framework] = &[
    Framework {
        packages: &["axum"],
        attributes: &["debug_handler"],
        takers: METHODS,
        what: "an axum handler",
        ..NONE
    },
    Framework {
        packages: &["actix-web"],
        attributes: &[
            "get", "post", "put", "delete", "patch", "head", "options", "trace", "connect", "route",
        ],
        takers: &["to", "from_fn", "wrap_fn", "default_service"],
        what: "an actix handler",
        ..NONE
    },
    Framework {
        packages: &["rocket"],
        attributes: &[
            "get", "post", "put", "delete", "patch", "head", "options", "route", "catch",
        ],
        what: "a Rocket handler",
        ..NONE
    },
    Framework {
        packages: &["warp"],
        takers: &[
            "and_then",
            "then",
            "map",
            "recover",
            "or_else",
            "untuple_one",
        ],
        what: "a warp filter",
        ..NONE
    },
    Framework {
        packages: &["poem", "salvo", "salvo_core"],
        attributes: &["handler", "endpoint"],
        what: "a handler",
        ..NONE
    },
    Framework {
        packages: &[
            "hyper",
            "hyper-util",
            "tower",
            "tower-service",
            "tower-http",
        ],
        takers: &["service_fn", "make_service_fn"],
        callers: &["service_fn", "make_service_fn"],
        traits: &[("Service", &["call"])],
        what: "a service",
        ..NONE
    },
    Framework {
        packages: &["actix"],
        traits: &[("Handler", &["handle"]), ("StreamHandler", &["handle"])],
        what: "an actor's handler",
        ..NONE
    },
    Framework {
        packages: &["ractor"],
        traits: &[("Actor", &["handle", "handle_supervisor_evt"])],
        what: "an actor's handler",
        ..NONE
    },
    Framework {
        packages: &["bevy", "bevy_app", "bevy_ecs"],
        takers: &[
            "add_systems",
            "add_system",
            "add_observer",
            "observe",
            "run_system",
            "run_system_once",
        ],
        what: "a bevy system",
        ..NONE
    },
    Framework {
        packages: &["eframe", "egui", "egui-winit"],
        traits: &[("App", &["update", "ui", "logic"])],
        callers: &["run_simple_native", "run_ui_native"],
        what: "called once a frame by egui",
        ..NONE
    },
    Framework {
        packages: &["ratatui", "tui", "ratatui-core"],
        takers: &["draw", "try_draw"],
        callers: &["draw", "try_draw"],
        traits: &[
            ("Widget", &["render"]),
            ("StatefulWidget", &["render"]),
            ("WidgetRef", &["render_ref"]),
        ],
        what: "called once a frame by ratatui",
        ..NONE
    },
    Framework {
        packages: &["cursive", "cursive_core"],
        traits: &[("View", &["draw", "on_event"])],
        what: "called once a frame or key by cursive",
        ..NONE
    },
    Framework {
        packages: &["winit"],
        traits: &[(
            "ApplicationHandler",
            &["window_event", "user_event", "about_to_wait"],
        )],
        callers: &["run", "run_on_demand"],
        what: "called by winit's event loop",
        ..NONE
    },
    Framework {
        packages: &["iced"],
        takers: &["application", "run", "view", "update"],
        traits: &[
            ("Application", &["update", "view"]),
            ("Sandbox", &["update", "view"]),
        ],
        what: "called by iced",
        ..NONE
    },
    Framework {
        packages: &["ggez", "miniquad"],
        traits: &[("EventHandler", &[])],
        what: "called by the game loop",
        ..NONE
    },
    Framework {
        packages: &["bracket-lib", "bracket-terminal"],
        traits: &[("GameState", &["tick"])],
        what: "called by the game loop",
        ..NONE
    },
    Framework {
        packages: &["fyrox"],
        traits: &[
            ("Plugin", &["update", "on_os_event"]),
            ("ScriptTrait", &["on_update"]),
        ],
        what: "called by the game loop",
        ..NONE
    },
];

/// Stages that run once, when bevy starts: what they call is no use as an entry.
pub const ONCE: [&str; 3] = ["Startup", "PreStartup", "PostStartup"];

/// Functions that run something beside the caller.
pub const SPAWNERS: [&str; 8] = [
    "spawn",
    "spawn_blocking",
    "spawn_local",
    "spawn_scoped",
    "spawn_named",
    "spawn_on",
    "execute",
    "spawn_fifo",
];

/// Names that say: once a frame, or once a step.
pub const FRAME_NAMES: [&str; 14] = [
    "draw",
    "frame",
    "game_loop",
    "on_event",
    "on_frame",
    "on_key",
    "on_tick",
    "on_update",
    "render",
    "step",
    "tick",
    "ui",
    "update",
    "handle_event",
];

/// Packages of programs that draw, and so have frames.
pub const DRAWING: [&str; 22] = [
    "bevy",
    "bevy_app",
    "bracket-lib",
    "cursive",
    "crossterm",
    "eframe",
    "egui",
    "fyrox",
    "ggez",
    "iced",
    "macroquad",
    "minifb",
    "miniquad",
    "nannou",
    "notan",
    "pixels",
    "ratatui",
    "raylib",
    "sdl2",
    "softbuffer",
    "termion",
    "winit",
];

/// Functions that make a loop wait, and so run as long as the program does.
pub const PACING: [&str; 10] = [
    "draw",
    "park",
    "park_timeout",
    "poll",
    "poll_events",
    "present",
    "sleep",
    "sleep_ms",
    "swap_buffers",
    "wait_timeout",
];

/// Methods that wait for the next thing to do: a loop over them has no end.
pub const WAITING: [&str; 26] = [
    "accept",
    "events",
    "forever",
    "incoming",
    "lines",
    "messages",
    "next_event",
    "next_frame",
    "next_line",
    "next_message",
    "notified",
    "poll_event",
    "read",
    "read_event",
    "read_frame",
    "read_line",
    "read_message",
    "readline",
    "receive",
    "recv",
    "recv_async",
    "recv_many",
    "recv_timeout",
    "tick",
    "try_iter",
    "wait",
];
