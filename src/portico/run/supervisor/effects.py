"""Performs the machine's actions, and owns their resources: processes, sockets, questions in progress.

The outcome of an action is a later event; this file makes no decisions.
"""

from __future__ import annotations

import asyncio
import signal
from collections.abc import Callable, Coroutine, Mapping
from contextlib import suppress
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from msgspec.structs import replace

from portico.errors import PorticoError, Problem
from portico.plan.model import Plan
from portico.run.background import from_thread, guarded, in_background
from portico.run.disk import directories
from portico.run.gateway import files, goodbye, maintenance
from portico.run.gateway.mixed import SETTLE_SECONDS, Mixed
from portico.run.gateway.model import Gateway, Tell
from portico.run.machine import action as do
from portico.run.machine import event as was
from portico.run.machine.action import Action
from portico.run.machine.event import Event
from portico.run.processes import heap
from portico.run.processes.table import Processes
from portico.run.running import SayNews
from portico.run.sockets import drain, switch
from portico.run.supervisor import cause, planning
from portico.run.supervisor.ahead import Aheads
from portico.run.supervisor.app_servers import AppServers
from portico.run.supervisor.background import BackgroundProcesses
from portico.run.supervisor.planning import Replan
from portico.run.supervisor.release_command import ReleaseCommands
from portico.run.undone import undone
from portico.run.upstream import health, trial

if TYPE_CHECKING:
    from portico.run.tls.material import Material

TEST_LEAVES_SECONDS = 1.0
"""`nginx -t` takes some 20 ms, unless it waits for a name server."""


class Effects:
    """One running site. `tell` takes an event, only in the loop's own thread."""

    def __init__(
        self,
        plan: Plan,
        number: int,
        gateway: Gateway,
        processes: Processes,
        *,
        tell: Tell,
        say: SayNews,
        replan: Replan,
        material: Material | None = None,
        aheads: Aheads | None = None,
    ) -> None:
        self._materials = {number: material}
        self.plans: dict[int, Plan] = {number: plan}
        self.in_force, self._number_in_force = plan, number
        self.out: frozenset[str] = frozenset()
        """The servers of the upstream that get no requests."""
        self.gateway, self._processes = gateway, processes
        self._tell, self._say, self._replan = tell, say, replan
        self._loop = asyncio.get_running_loop()
        self._paths = {number: ""}
        self._has_served, self._mixed = False, Mixed(self._loop)
        self._servers = AppServers(
            processes, aheads or Aheads(), say, ended=self._server_ended, start_again=self._start_again
        )
        self._commands = ReleaseCommands(processes, say)
        self.background = BackgroundProcesses(
            processes, say, ended=lambda at, code: tell(was.BackgroundExited(at, code))
        )
        self._questions: dict[int, asyncio.Task[None]] = {}
        self._work: set[asyncio.Task[None]] = set()
        self._tests: list[asyncio.Task[Any]] = []
        self._perform = self._performers()

    def _performers(self) -> Mapping[type[Action], Callable[[Any], None]]:
        return {
            do.SetBooting: self._set_booting,
            do.CheckFiles: self._check_files,
            do.UseFiles: self._use_files,
            do.Prepare: self._prepare,
            do.Conclude: self._conclude,
            do.EndConclude: self._commands.end_after,
            do.StartAppServer: self._start_server,
            do.EndAppServer: self._end_server,
            do.AskAppServer: self._ask_server,
            do.MakeLive: self._make_live,
            do.TakeDown: lambda _: switch.take_down(self.in_force),
            do.WatchQueue: self._watch_queue,
            do.EmptyQueue: lambda action: self._servers.hang_up(action.number),
            do.Forget: self._forget,
            do.StartBackground: lambda action: self.background.start(action, self.plans[action.number]),
            do.EndBackground: lambda action: self.background.end(action.id, action.mode),
            do.StartGateway: lambda _: self.gateway.start(self.in_force),
            do.ReloadGateway: lambda _: self.gateway.reload(self.in_force),
            do.EndGateway: self._end_gateway,
            do.SayGoodbye: lambda _: self.gateway.say_goodbye(self.in_force),
            do.AskGateway: self._ask_gateway,
            do.MakePlan: self._make_plan,
            do.Say: lambda said: self._say(said.notice),
        }

    def perform(self, action: Action) -> was.NotDone | None:
        """Perform or start an action. An error is returned, or told later as an event: nothing waits forever."""
        try:
            self._perform[type(action)](action)
        except Exception as error:  # noqa: BLE001  whatever it is, the machine decides what becomes of the serving
            return self._not_done(action, error)
        return None

    def _not_done(self, action: Action, error: Exception) -> was.NotDone:
        return was.NotDone(action, undone(action, error, self.in_force.gateway.name, self.in_force.runtime))

    # Files and sockets ---------------------------------------------------------------------------------

    def _set_booting(self, action: do.SetBooting) -> None:
        flag = Path(self.in_force.booting)
        if action.on:
            flag.touch(mode=0o644)
        else:
            flag.unlink(missing_ok=True)

    def _check_files(self, action: do.CheckFiles) -> None:
        plan, number = self.plans[action.number], action.number
        old = self.in_force
        files.write(plan, number, self.out, self._materials.get(number))

        def check() -> Event:
            problems = self.gateway.objections(plan, files.directory(plan.runtime, number))
            if plan is not old and not problems:
                problems = trial.objections(plan, old)
            return was.FilesRefused(number, problems) if problems else was.FilesAccepted(number)

        self._tests.append(self._in_background(action, check))

    def _use_files(self, action: do.UseFiles) -> None:
        plan, number = self.plans[action.number], action.number
        files.use_servers(plan, number, self.out)  # servers that were removed since the files were written
        files.use_material(plan, number, self._materials.get(number))  # a certificate that was renewed since
        files.use_keys(plan, number)
        files.use(plan.runtime, number)
        self.in_force, self._number_in_force = plan, number
        self._prune()

    def _prune(self) -> None:
        """The gateway's files stay, also after a failure: people look at the active configuration."""
        with suppress(OSError):  # retried the next time
            files.prune(self.in_force.runtime, {*self.plans, self._number_in_force})

    async def take_out(self, out: frozenset[str]) -> None:
        """Send no more requests to these servers of the upstream. Raises PorticoError if the gateway rejects that."""
        plan, number = self.in_force, self._number_in_force
        trial = self._loop.create_task(in_background(lambda: self._objections(plan, number, out)))
        self._tests = [*(test for test in self._tests if not test.done()), trial]
        if problems := await trial:
            raise PorticoError(*problems)
        files.use_servers(self.in_force, self._number_in_force, out)  # a reload may have come between
        self.gateway.reload(self.in_force)
        self.out = out

    def _objections(self, plan: Plan, number: int, out: frozenset[str]) -> tuple[Problem, ...]:
        """The gateway's errors about the list of servers without these."""
        with files.servers_trial(plan, number, out) as trial:
            return self.gateway.objections(plan, trial) if trial else ()

    def put_challenge(self) -> None:
        """Let the gateway read the keys of passes again. Raises OSError."""
        files.use_keys(self.in_force, self._number_in_force)
        self.gateway.reload(self.in_force)

    @property
    def material(self) -> Material | None:
        """The current certificate and HSTS."""
        return self._materials.get(self._number_in_force)

    async def put_material(self, material: Material) -> None:
        """Use that for HTTPS from now on. Raises PorticoError if the gateway rejects it, OSError for the disk."""
        plan, number = self.in_force, self._number_in_force
        trial = self._loop.create_task(in_background(lambda: self._against(plan, number, material)))
        self._tests = [*(test for test in self._tests if not test.done()), trial]
        if problems := await trial:
            raise PorticoError(*problems)
        is_same = self.in_force.tls == plan.tls  # otherwise a reload came between, with its own certificate
        if is_same:
            files.use_material(self.in_force, self._number_in_force, material)
        for other, known in self.plans.items():
            if known.tls == plan.tls:  # also one that is being checked, or kept on standby for a rollback
                self._materials[other] = material
        self._materials[number] = material
        if is_same:
            self.gateway.reload(self.in_force)

    def _against(self, plan: Plan, number: int, material: Material) -> tuple[Problem, ...]:
        """The gateway's errors about that certificate."""
        with files.material_trial(plan, number, material) as trial:
            return self.gateway.objections(plan, trial)

    def reopen_logs(self) -> None:
        """Open new log files: the old ones were renamed."""
        self.gateway.reopen_logs()

    def _make_live(self, action: do.MakeLive) -> None:
        plan, is_first = self.plans[action.number], not self._has_served
        self._has_served = True
        if not plan.has_app:
            return
        if is_first:
            self._mixed.lower(plan.runtime)
        else:
            self._mixed.raise_for(plan.runtime)
        switch.make_live(plan, action.number, action.canary, action.tenths)
        if not is_first and not action.canary:
            self._mixed.lower_soon(plan.runtime)

    def _watch_queue(self, action: do.WatchQueue) -> None:
        async def watch() -> None:
            plan = self.plans[action.number]
            if plan.socket != self.in_force.socket:  # The gateway's old workers send requests until they exit
                await asyncio.sleep(SETTLE_SECONDS)
            await drain.until_read(plan.release_socket(action.number))
            self._tell(was.QueueEmpty(action.number))

        self._beside(action, watch())

    def _forget(self, action: do.Forget) -> None:
        plan = self.plans.pop(action.number, None)
        self._paths.pop(action.number, None)
        if action.number != self._number_in_force:
            self._materials.pop(action.number, None)
        self._stop_asking(action.number)
        self._commands.give_up(action.number)
        self._servers.forget(action.number)
        if plan is not None:
            switch.forget(plan, action.number)
            if all(plan.socket != other.socket for other in (self.in_force, *self.plans.values())):
                switch.unlink(plan)
            self._prune()

    # The app server ------------------------------------------------------------------------------------

    def _prepare(self, action: do.Prepare) -> None:
        self._beside(action, self._commands.prepare(action.number, self.plans[action.number], self._tell))

    def _conclude(self, action: do.Conclude) -> None:
        self._beside(action, self._commands.conclude(action.number, self.plans[action.number]))

    def _start_server(self, action: do.StartAppServer) -> None:
        plan = self.plans[action.number]
        if plan.has_app:
            self._servers.start(plan, action.number)

    def _begin_ahead(self, number: int, draft: Plan) -> None:
        if number in self._paths:  # otherwise it was given up
            self._servers.begin_ahead(number, draft)

    def _start_again(self, number: int) -> None:
        if failed := self.perform(do.StartAppServer(number)):
            self._tell(failed)

    def _server_ended(self, number: int, code: int) -> None:
        self._stop_asking(number)
        plan = self.plans.get(number)
        cannot_load = plan is not None and code in plan.app_server.cannot_load
        self._tell(was.AppServerExited(number, code, cannot_load))

    def _end_server(self, action: do.EndAppServer) -> None:
        if server := self._servers.get(action.number):
            server.end(action.mode)
        else:  # it never existed
            self._tell(was.AppServerExited(action.number, 0))

    def _ask_server(self, action: do.AskAppServer) -> None:
        plan, number = self.plans[action.number], action.number
        self._stop_asking(number)
        if not plan.has_app:
            self._tell(was.AppServerWell(number))
            return

        async def ask() -> None:
            answer = await health.until_well(
                lambda: health.ask_server(plan.release_socket(number), plan.health),
                action.answers,
                lambda answer: self._tell(cause.answered(number, plan, answer)),
                until_up=action.answers == 1,
            )
            self._servers.has_answered(number)
            self._tell(was.AppServerWell(number) if answer.is_well else cause.answered(number, plan, answer))

        self._questions[number] = self._beside(action, ask())

    async def ask_again(self, number: int) -> None:
        """Ask the failed app once more, for `portico status`."""
        plan = self.plans[number]
        answer = await health.in_time(lambda: health.ask_server(plan.release_socket(number), plan.health))
        self._tell(was.AppServerWell(number) if answer.is_well else cause.answered(number, plan, answer))

    def _stop_asking(self, number: int) -> None:
        if question := self._questions.pop(number, None):
            question.cancel()

    # The gateway ---------------------------------------------------------------------------------------------

    def _end_gateway(self, action: do.EndGateway) -> None:
        sockets = [plan.release_socket(number) for number, plan in self.plans.items()]
        self.gateway.end(self.in_force, action.mode, sockets)

    def _ask_gateway(self, action: do.AskGateway) -> None:
        plan = self.in_force
        self._stop_asking(_GATEWAY)

        def is_closed() -> bool:
            return maintenance.state(plan.runtime) is not None

        async def ask() -> None:
            asked = partial(health.ask_gateway, plan.listen, plan.health, plan.proxied, plan.routed)
            await health.until_well(
                lambda: asked(is_alone=action.is_alone, is_closed=is_closed()),
                1,
                lambda answer: self._tell(was.GatewayAnswered(str(answer))),
            )
            self._tell(was.GatewayWell())

        self._questions[_GATEWAY] = self._beside(action, ask())

    # A new plan ----------------------------------------------------------------------------------------

    def _make_plan(self, action: do.MakePlan) -> None:
        old, number = self.in_force, action.number
        path = self._paths[number] = action.path or self._paths.get(self._number_in_force, "")

        def begin(draft: Plan) -> Callable[[], bool]:
            self._loop.call_soon_threadsafe(self._begin_ahead, number, draft)
            return lambda: from_thread(self._loop, lambda: self._servers.end_ahead(number))

        def make() -> Event:
            try:
                plan = self._replan(path, old, begin)
                planning.refuse_what_needs_a_restart(old, plan)
                self.gateway.refuse_addresses(old, plan.listens)
                if plan.directories != old.directories:
                    directories.make(plan)
                self._materials[number] = planning.next_material(plan, old, self.material)
            except PorticoError as error:
                return was.PlanRefused(number, error.problems, error.exit_code)
            self.plans[number] = plan
            heap.give_back()
            return planning.planned(number, plan, old, changed=files.gateway_changed(old, plan))

        self._in_background(action, make)

    def is_outdated(self) -> bool:
        """Whether a new plan would differ from the active one, for another thread. Raises PorticoError.

        The time to become healthy follows from how long the import has taken: it is another one each time.
        """
        old = self.in_force
        new = self._replan(self._paths.get(self._number_in_force, ""), old, lambda _: lambda: False)
        same = replace(new.health, start_seconds=old.health.start_seconds)
        return replace(new, health=same) != old

    def _in_background(self, action: Action, work: Callable[[], Event]) -> asyncio.Task[None]:
        """Tell the event that results from blocking work."""

        async def tell() -> None:
            self._tell(await in_background(work))

        return self._beside(action, tell())

    def _beside(self, action: Action, work: Coroutine[Any, Any, None]) -> asyncio.Task[None]:
        guard = guarded(work, lambda error: self._tell(self._not_done(action, error)))
        task = self._loop.create_task(guard)
        self._work.add(task)  # the loop itself keeps only a weak reference
        task.add_done_callback(self._work.discard)
        return task

    def gateway_workers(self) -> frozenset[int]:
        """The pids of the gateway's workers, including those that are leaving."""
        return self.gateway.workers()

    def renew_workers(self) -> None:
        """Let the app servers start workers with the code as it is now; only some understand that."""
        for number in self.plans:
            if server := self._servers.get(number):
                server.send(signal.SIGHUP)

    def pids(self) -> dict[int, int]:
        """The first process of each release, and the gateway under 0."""
        nginx = {_GATEWAY: self.gateway.pid} if self.gateway.pid else {}
        return nginx | self._servers.pids()

    async def leave(self) -> None:
        """End all remaining processes, and remove everything except the files and the logs."""
        if tests := [task for task in self._tests if not task.done()]:
            # `nginx -t` makes a pid file: it must not appear after the cleanup.
            await asyncio.wait(tests, timeout=TEST_LEAVES_SECONDS)
        await self._commands.leave()
        for task in (*self._questions.values(), *self._work):
            task.cancel()
        await self.gateway.leave()
        goodbye.forget(self.in_force.sites)
        self._servers.forget_all()
        await self._processes.kill_all()
        self.background.forget_all()
        for number in list(self.plans):
            self.perform(do.Forget(number))
        with suppress(OSError):  # a file that stays does no harm: the next start removes it
            switch.sweep(self.in_force)
            Path(self.in_force.booting).unlink(missing_ok=True)
            self._mixed.lower(self.in_force.runtime)
            if self._has_served:  # a failed start changes nothing
                maintenance.open_again(self.in_force.runtime)


_GATEWAY = 0
"""The key of the question to the gateway; the questions to releases have keys from 1."""
