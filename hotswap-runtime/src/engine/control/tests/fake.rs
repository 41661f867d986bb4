//! An engine that only counts.

use super::*;

/// What has been done to the engine, in order.
pub(super) struct Fake {
    pub(super) log: Mutex<Vec<&'static str>>,
    pub(super) subscribers: Subscribers,
}

impl Fake {
    fn note(&self, event: &'static str) {
        self.log.lock().unwrap().push(event);
    }
}

pub(super) struct FakePatch<'a> {
    engine: &'a Fake,
    fails: bool,
    committed: bool,
}

impl Drop for FakePatch<'_> {
    fn drop(&mut self) {
        self.engine
            .note(if self.committed { "kept" } else { "dropped" });
    }
}

impl<'a> Engine for &'a Fake {
    type Prepared = FakePatch<'a>;

    fn hello(&self) -> Hello {
        Hello {
            protocol: PROTOCOL,
            runtime: "0".into(),
            pid: 1,
            name: "fake".into(),
            build_id: None,
            executable: "/fake".into(),
            version: 0,
        }
    }

    fn prepare(&self, manifest: &Manifest) -> Result<Offer<FakePatch<'a>>, Failure> {
        match manifest.label.as_deref() {
            Some("bad") => Err(Failure::new(ErrorCode::ImageInvalid, "bad")),
            Some("panic") => panic!("an engine that panics"),
            _ => {
                self.note("prepared");
                let prepared = FakePatch {
                    engine: self,
                    fails: manifest.label.as_deref() == Some("fails"),
                    committed: false,
                };
                Ok(Offer {
                    prepared,
                    version: 1,
                    report: PrepareReport::default(),
                })
            }
        }
    }

    fn commit(&self, mut prepared: FakePatch<'a>) -> Result<CommitReport, Failure> {
        if prepared.fails {
            return Err(Failure::new(ErrorCode::StateFailed, "a hook failed"));
        }
        prepared.committed = true;
        Ok(CommitReport::default())
    }

    fn revert(&self, order: &Order) -> Result<Done, RevertError> {
        match order.cause {
            Cause::Request {} => {
                self.note("reverted");
                let (version, to) = (3, 1);
                let report = CommitReport::default();
                Ok(Done {
                    version,
                    to,
                    report,
                })
            }
            _ => Err(RevertError::First),
        }
    }

    fn save(&self, cells: &[Cell]) -> Result<SaveReport, Failure> {
        self.note("saved");
        let pause_us = cells.len() as u64;
        Ok(SaveReport {
            pause_us,
            ..SaveReport::default()
        })
    }

    fn restore(&self) -> RestoreReport {
        self.note("restored");
        RestoreReport::default()
    }

    fn servers(&self, order: &ServerOrder) -> Result<ServersReport, Failure> {
        match order {
            ServerOrder::Suspend {
                server: Some(name), ..
            } => {
                self.note(if name == "a" {
                    "suspended a"
                } else {
                    "suspended other"
                });
                Ok(ServersReport::default())
            }
            ServerOrder::Resume { server } => {
                let is_a = server.as_deref() == Some("a");
                self.note(if is_a { "resumed a" } else { "resumed other" });
                Ok(ServersReport::default())
            }
            ServerOrder::Suspend { limit_ms, .. } => {
                let text = format!("busy for {limit_ms} ms");
                Err(Failure::new(ErrorCode::ServerBusy, text))
            }
            _ => Ok(ServersReport::default()),
        }
    }

    fn subscribers(&self) -> &Subscribers {
        &self.subscribers
    }

    fn purge(&self, _: hotswap_protocol::purge::Manner) -> hotswap_protocol::purge::PurgeReport {
        hotswap_protocol::purge::PurgeReport::default()
    }

    fn status(&self) -> Status {
        Status::new(0, true)
    }

    fn report_crashes(&self, _std_handler: Option<u64>) -> Vec<i32> {
        Vec::new()
    }
}
