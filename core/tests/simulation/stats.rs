//! What has happened: a run in which nothing happens proves nothing.

macro_rules! stats {
    ($($name:ident),* $(,)?) => {
        /// Sums over runs, but for `longest_heal`.
        #[derive(Default, Debug, Clone)]
        pub(crate) struct Stats {
            $(pub(crate) $name: u64,)*
            /// The longest time, in virtual microseconds, from the last fault until all was well.
            pub(crate) longest_heal: u64,
        }

        impl Stats {
            pub(crate) fn add(&mut self, more: &Self) {
                $(self.$name += more.$name;)*
                self.longest_heal = self.longest_heal.max(more.longest_heal);
            }

            /// One line of JSON.
            pub(crate) fn json(&self) -> String {
                let mut fields = vec![$(format!("\"{}\":{}", stringify!($name), self.$name)),*];
                fields.push(format!("\"longest_heal\":{}", self.longest_heal));
                format!("{{{}}}", fields.join(","))
            }
        }
    };
}

stats! {
    simulated, events, reigns, handovers, step_downs, meddled, expiries, guards_acted, lost_answers,
    master_kills, host_failures, suspends, zk_kills, zk_elections, faults, frozen_between,
    launches, starts, adoptions, signals, duplicates, joins, late_joins, purges, purged_members, store_outages, settled, done, refused, unanswered, ended,
}

impl Stats {
    pub(crate) fn assert_not_idle(&self, seeds: u64) {
        assert!(self.reigns > 2 * seeds && self.launches > 5 * seeds && self.adoptions > 5 * seeds);
        assert!(self.signals > seeds / 4 && self.settled > seeds && self.done > 4 * seeds);
        if seeds >= 100 {
            let rare = [
                self.handovers,
                self.step_downs,
                self.meddled,
                self.expiries,
                self.guards_acted,
                self.lost_answers,
                self.host_failures,
                self.suspends,
                self.zk_elections,
                self.frozen_between,
                self.duplicates,
                self.joins,
                self.purges,
                self.purged_members,
                self.store_outages,
                self.refused,
                self.unanswered,
                self.ended,
            ];
            assert!(rare.iter().all(|count| *count > 0), "{self:?}");
        }
    }
}
