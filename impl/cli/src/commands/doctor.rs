//! `doctor`: what stands between this machine and its visitors.

use p2claw_network::Machine;

use crate::{
    args::{DEFAULT_COORD, DoctorArguments},
    doctor::{self, Order},
    exit::{CommandError, Unwell},
    output,
};

pub(crate) async fn run(arguments: DoctorArguments) -> Result<(), CommandError> {
    let order = Order {
        state: arguments.state.path(None)?,
        hint: arguments.state.demo_hint(),
        coord: arguments.coord,
        default_coord: DEFAULT_COORD.to_owned(),
        stun: arguments.stun,
        udp_port: arguments.udp_port,
        listen: arguments.listen,
        slow: arguments.slow,
    };
    if arguments.slow {
        output::note("this may take more than two minutes");
    }
    let report = doctor::examine(&Machine, &order).await;
    if arguments.json {
        output::json(&report.json())?;
    } else {
        for line in report.lines(output::width()) {
            output::line(line)?;
        }
    }
    match report.failures() {
        0 => Ok(()),
        failures => Err(Unwell(failures).into()),
    }
}
