//! Functions that do not return, or wait for what their own swap holds.

use std::sync::Mutex;
use std::sync::mpsc::{Receiver, Sender, channel};
use std::time::Duration;

use hotswap::__private::v0_1_0::{Ask, Parameter, Told, change};
use hotswap::{Live, Migrate, SwapLimits};
use hotswap_state::{Maker, Planner, cell, migrate_by};

mod slow {
    use super::*;

    #[derive(Migrate)]
    pub struct Before {
        pub number: u32,
    }

    #[derive(Migrate)]
    pub struct After {
        pub number: u64,
    }

    pub static HELD: Mutex<Option<(Sender<()>, Receiver<()>)>> = Mutex::new(None);

    pub fn after(ask: Ask<'_>) -> Told {
        let takes: [fn() -> Parameter; 1] = [Parameter::given::<u32>];
        change::<After, _, _>(ask, &takes, |_, lent| {
            if let Some((began, go_on)) = HELD.lock().unwrap().take() {
                began.send(()).unwrap();
                go_on.recv().unwrap();
            }
            After {
                number: u64::from(*lent.given::<u32>(0)),
            }
        })
    }
}

pub(super) fn a_function_that_does_not_return_is_left_behind() {
    let cell = cell(|| slow::Before { number: 7 });
    drop(cell.read());
    let (began, has_begun) = channel();
    let (go_on, may_go_on) = channel();
    *slow::HELD.lock().unwrap() = Some((began, may_go_on));
    let after = Maker {
        makes: "After",
        takes: &["number"],
        run: slow::after,
        down: None,
    };
    let migrate = |limits| {
        let planner = Planner::new(&[]).with_makers(&[after]);
        migrate_by::<_, slow::After>(cell, planner, limits)
    };
    let mut limits = SwapLimits::default();
    limits.functions = Duration::from_millis(30);
    let error = migrate(limits).map(|_| ()).unwrap_err();
    assert!(error.starts_with("stuck: "), "{error}");
    has_begun.recv().unwrap();
    // It reads the old value still, as others may.
    assert_eq!(cell.read().number, 7);
    assert!(cell.try_write().is_err());
    go_on.send(()).unwrap();
    // The thread gives the cell back when the function has returned.
    cell.write().number = 8;
    let (cell, _) = migrate(SwapLimits::default()).unwrap();
    assert_eq!(cell.read().number, 8);
}

mod curious {
    use super::*;

    #[derive(Migrate)]
    pub struct Before {
        pub number: u32,
    }

    #[derive(Migrate)]
    pub struct After {
        pub number: u64,
    }

    pub static CELL: Mutex<Option<&'static Live<Before>>> = Mutex::new(None);
    pub static OTHER: Mutex<Option<&'static Live<u64>>> = Mutex::new(None);

    pub fn after(ask: Ask<'_>) -> Told {
        change::<After, _, _>(ask, &[], |_, _| {
            let other = OTHER.lock().unwrap().unwrap();
            let cell = CELL.lock().unwrap().unwrap();
            assert!(cell.try_read().is_err(), "it is held");
            let number = *other.read() + u64::from(cell.read().number);
            After { number }
        })
    }
}

pub(super) fn a_function_that_asks_for_its_cell_is_told() {
    let cell = cell(|| curious::Before { number: 7 });
    drop(cell.read());
    let other = Box::leak(Box::new(Live::new(|| 5)));
    *curious::CELL.lock().unwrap() = Some(cell);
    *curious::OTHER.lock().unwrap() = Some(other);
    let after = Maker {
        makes: "After",
        takes: &[],
        run: curious::after,
        down: None,
    };
    let planner = Planner::new(&[]).with_makers(&[after]);
    let outcome = migrate_by::<_, curious::After>(cell, planner, SwapLimits::default());
    let error = outcome.map(|_| ()).unwrap_err();
    assert!(
        error.contains("asks for a cell that the swap holds"),
        "{error}"
    );
    assert_eq!(cell.read().number, 7);
}
