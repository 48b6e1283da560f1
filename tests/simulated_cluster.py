"""A cluster with a clock of its own, on which real planning, hand-over and ledgers are tried.

Simulated are time, machines, Slurm, and what a training computes. Real are the plan, the claims,
the journals, the executor for Slurm with all that it writes, what a job asks before it starts, the
claim on a run's folder, its ledger, its heartbeat, and the readers that judge all of it.

Whoever acts (a user's ``launch``, a job, a training) is a generator that yields the seconds until
it goes on; between two of them the others act. Who sleeps lets the others act, too.
"""

import contextlib
import errno
import heapq
import json
import os
import random
import threading
import time
from dataclasses import dataclass, field
from pathlib import Path
from types import SimpleNamespace

from mmaction_ext.engine import work_dir
from mmaction_ext.errors import InputError
from mmaction_ext.files import journal, locks, writing
from mmaction_ext.suites import claims
from mmaction_ext.suites.executors import slurm, slurm_task
from mmaction_ext.suites.plan import plan_suite
from mmaction_ext.suites.store import Handed, Suite, in_hand, planning
from mmaction_ext.tables import load_spec
from mmaction_ext.tracking.identity import RunIdentity, config_hash, load_config
from mmaction_ext.tracking.ledger import process
from mmaction_ext.tracking.reading.find import find_runs
from mmaction_ext.tracking.reading.ledger import read_ledger
from mmaction_ext.tracking.writing import attempts, heartbeat
from mmaction_ext.tracking.writing.attempts import RunLedger
from mmaction_ext.tracking.writing.metrics_file import MetricsFile
from mmaction_ext.tracking.writing.results import write_result

HOUR = 3600.0
#: iterations of a training, between two checkpoints, and seconds that one takes on a good node
TOTAL, SAVED, SECONDS = 30, 10, 90.0
#: seconds between two heartbeats
BEAT = 45.0
NODES = 8
COLUMNS = '{key: top1, head: Top-1, from: test/acc/top1, scale: 100}'


class Superseded(Exception):
    """A training has learnt that another process goes on with its run."""


class Killed(Exception):
    """A training is gone."""


@dataclass
class Actor:
    """A process: what it goes on with, and where.

    Attributes:
        host, pid: where it is.
        steps: yields the seconds until it goes on.
        alive: whether it is.
        asleep: whether its machine is cut off, or suspended.
        lock: that on the run's folder.
        warned: whether it was told to save and stop.
        code: how it ended.
    """

    host: str
    pid: int
    steps: object = None
    alive: bool = True
    asleep: bool = False
    lock: object = None
    warned: bool = False
    code: int | None = None
    job: 'Job | None' = None


@dataclass
class Job:
    """An index of an array in Slurm."""

    name: str
    index: int
    array: int
    tasks: Path
    run: str
    is_late: bool
    state: str = 'PENDING'
    restarts: int = 0
    node: str = ''
    actor: Actor | None = None


@dataclass
class Run:
    """What is known of a run by who sees all.

    Attributes:
        newest: the process that began on it last.
        begun: how many processes began, by hash of the config.
        finished: hashes under which it came to its end.
    """

    newest: Actor | None = None
    begun: dict = field(default_factory=dict)
    finished: list = field(default_factory=list)


class Pulse(heartbeat.Heartbeat):
    """A heart that beats when it is told to."""

    def __init__(self, folder, attempt, seconds=0, successor=str):
        self.iteration, self._successor = lambda: 0, successor
        self._path, self._iteration, self._number = Path(folder) / 'heartbeat', 0, 0
        self._facts = dict(
            attempt=attempt, pid=os.getpid(), host=process.host(), boot_id=process.boot_id()
        )

    def stop(self):
        self.beat()

    def beat(self):
        self._number += 1
        self._ask_iteration()
        with contextlib.suppress(OSError):
            self._beat(self._number)


class World:
    """The cluster, its users and its clock.

    Args:
        root: an empty folder, the working folder.
        patch: a monkeypatch.
        seed: of all that happens by chance.
        locked: whether locks on the shared folder work.
    """

    def __init__(self, root, patch, seed, locked=True):
        self.root, self.runs = root, root / 'work_dirs'
        self.chance, self.began, self.now = random.Random(seed), time.time(), 0.0
        self.queue, self.count, self.actors = [], 0, {}
        self.clocks = {f'node{number}': 0.0 for number in range(NODES)}
        self.clocks.update(login1=0.0, login2=0.0)
        self.nodes = {f'node{number}': True for number in range(NODES)}
        self.slow = {node: self.chance.choice((1, 1, 1, 4)) for node in self.nodes}
        self.jobs, self.arrays = {}, 0
        self.full = self.deaf = False
        self.silent_until = 0.0
        self.known, self.beats, self.log = {}, {}, []
        self.calm, self.happened = False, 0
        self.actor = self.actor_at('login1')
        self.runs.mkdir()
        self._write_tables()
        self._patch(patch, locked)

    # the clock

    def at(self, seconds, function):
        """Have something happen so many seconds from now."""
        self.count += 1
        heapq.heappush(self.queue, (self.now + seconds, self.count, function))

    def advance(self, until):
        """Let happen what does up to some time."""
        actor = self.actor
        while self.queue and self.queue[0][0] <= until:
            when, _, function = heapq.heappop(self.queue)
            self.now = max(self.now, when)
            function()
        self.now, self.actor = max(self.now, until), actor

    def actor_at(self, host, steps=None, job=None):
        """A new process."""
        actor = Actor(host, 5_000_000 + len(self.actors), steps, job=job)
        self.actors[actor.pid] = actor
        return actor

    def go_on(self, actor):
        """The next step of a process, and the one after it."""
        if not actor.alive or actor.asleep:
            return
        before, self.actor = self.actor, actor
        try:
            self.at(next(actor.steps), lambda: self.go_on(actor))
        except StopIteration as end:
            actor.alive, actor.code = False, end.value
            if actor.job:
                self.ended(actor.job, actor)
        finally:
            self.actor = before

    def kill(self, actor):
        """End a process that has no time to say so."""
        actor.alive = False
        if actor.lock:
            actor.lock.close()

    # what there is to be run

    def _write_tables(self):
        def write(name, text):
            path = self.root / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text)
            return path

        for number in range(12):
            write(f'configs/demo/row{number}.py', f'model = dict(width={number})\n')
        self.specs = []
        for name, rows, seeds in (('one', range(8), '[0, 1, 2]'), ('two', range(4, 12), '[0, 1]')):
            listed = '\n'.join(f'  - {{id: row{each}, config: ../row{each}.py}}' for each in rows)
            path = write(
                f'configs/demo/{name}/table.yaml',
                f'id: {name}\ncaption: x\nseeds: {seeds}\ncolumns:\n  - {COLUMNS}\n'
                f'rows:\n{listed}\n',
            )
            self.specs.append(load_spec(path))

    def edit(self, number):
        """Change the config of a row."""
        path = self.root / f'configs/demo/row{number}.py'
        path.write_text(f'{path.read_text()}lr = {self.chance.random()}\n')

    def load(self, path, *fold):
        """A config as it stands now; read by mmengine when it has changed."""
        text = Path(path).read_text()
        if (path, text) not in self._loaded:
            self._loaded[path, text] = load_config(path, *fold)
        return self._loaded[path, text]

    _loaded: dict = {}  # noqa: RUF012  the same for all

    # users

    def plan(self, *specs):
        """What is lacking now."""
        records = find_runs(self.runs, ['test/acc/top1', 'train/time'])
        return plan_suite(specs or self.specs, records, {}, load=self.load)

    def launch(self, name, *specs):
        """``launch --executor slurm``: steps of the process."""
        suite = Suite(self.runs, name).make()
        try:
            with self.held(planning(self.runs)):
                yield 1
                busy = in_hand(self.runs, slurm.queued)
                yield self.chance.choice((1, 30))
                plan = self.plan(*specs)
                yield self.chance.choice((1, 30))
                tasks = plan.without(busy).tasks
                slurm.SlurmExecutor(suite, self.runs, slurm.Resources()).submit(tasks)
                yield 1
        except InputError as error:
            self.log.append((self.now, name, str(error)))
        return 0

    def launch_here(self, name, *specs):
        """``launch --executor local``, two runs at a time: steps of the process."""
        suite = Suite(self.runs, name).make()
        try:
            with self.held(suite.launch):
                with self.held(planning(self.runs)):
                    yield 1
                    busy = in_hand(self.runs, slurm.queued)
                    yield 1
                    tasks = self.plan(*specs).without(busy).tasks[:4]
                    suite.hand(
                        Handed(each.run, 'local', '', each.config_hash, time.time())
                        for each in tasks
                    )
                    yield 1
                for first in range(0, len(tasks), 2):
                    group = []
                    for task in tasks[first : first + 2]:
                        each = self.actor_at(self.actor.host)
                        each.steps = self.training(each, dict(vars(task), run=task.run))
                        group.append(each)
                        self.at(1, lambda each=each: self.go_on(each))
                    while any(each.alive for each in group):
                        yield 60
                        if self.chance.random() < 0.01 and not self.calm:
                            self.die(self.actor, group)
                            yield HOUR
                    suite.take_back([each.run for each in tasks[first : first + 2]], 'ended')
        except InputError as error:
            self.log.append((self.now, name, str(error)))
        return 0

    def die(self, launcher, children):
        """Kill a launcher; its children die with it, or are orphans."""
        launcher.alive = False
        for each in children:
            if self.chance.random() < 0.5:
                self.kill(each)

    @contextlib.contextmanager
    def held(self, claim):
        """A claim that its holder lets beat as long as it lives."""
        holder = self.actor
        with claim.held('launch'):
            number, _ = claim._highest()
            file = claim._file(number)

            def beat():
                if holder.alive and file.exists() and file.stat().st_size:
                    os.utime(file, (self.began + self.now,) * 2)
                    self.at(4, beat)

            beat()
            yield

    # Slurm

    def ask(self, *words):
        """What Slurm answers."""
        if self.deaf and not (words[0] == 'sbatch' and self.chance.random() < 0.5):
            raise slurm.Unanswered(f'{words[0]}: timed out')
        if words[0] == 'sinfo':
            return f'cpu*|up|2:00:00|30:00|{NODES}|64|250000|(null)\n'
        if words[0] == 'sbatch':
            self._submit(Path(words[1]).parent)
            if self.deaf:
                raise slurm.Unanswered('sbatch: timed out')
            return f'Submitted batch job {self.arrays}\n'
        assert words[0] == 'squeue', words
        names = next(word for word in words if word.startswith('--name=')).partition('=')[2]
        found = [job for job in self.jobs.values() if job.name in names.split(',')]
        if '-o%F' in words:
            return ''.join(f'{job.array}\n' for job in found[:1])
        return ''.join(
            f'{job.name}|{job.index}|{job.array}|{job.state}|{job.node}\n' for job in found
        )

    def _submit(self, folder):
        self.arrays += 1
        tasks = json.loads((folder / slurm.TASKS_FILE).read_text())['tasks']
        # one that does not answer may take jobs long after it was asked
        delay = self.chance.choice((0, 3000)) if self.deaf else 0
        there = {
            job.run
            for job in self.jobs.values()
            if job.state in ('PENDING', 'RUNNING') and not job.is_late
        }
        for index, task in enumerate(tasks):
            assert task['run'] not in there, f'{task["run"]} is in the queue twice'
            job = Job(
                folder.name,
                index,
                self.arrays,
                folder / slurm.TASKS_FILE,
                task['run'],
                delay > 0,
            )
            self.at(delay, lambda job=job: self.jobs.update({(job.name, job.index): job}))

    def schedule(self):
        """Start jobs on nodes that have none."""
        busy = {job.node for job in self.jobs.values() if job.state == 'RUNNING'}
        free = [node for node, up in self.nodes.items() if up and node not in busy]
        waiting = [job for job in self.jobs.values() if job.state == 'PENDING']
        for node, job in zip(free, waiting, strict=False):
            job.state, job.node = 'RUNNING', node
            job.actor = self.actor_at(node, job=job)
            job.actor.steps = self.doing(job, job.actor)
            self.at(1, lambda actor=job.actor: self.go_on(actor))
        self.at(30, self.schedule)

    def doing(self, job, actor):
        """What a job does: steps of its process."""
        content = json.loads(job.tasks.read_text())
        task = content['tasks'][job.index]
        if slurm_task._obstacle(self.runs, content['suite'], task):
            return 1
        if job.restarts:
            entries = read_ledger(self.runs, task['run']).entries
            if slurm_task.is_done_by(entries, self.slurm_id(job)):
                return 0
            if slurm_task.starts_in_vain(entries, self.slurm_id(job)) > content['retries']:
                return 1
        return (yield from self.training(actor, task))

    def slurm_id(self, job):
        """Slurm's number of a job."""
        return f'{job.array}{job.index:04}'

    def ended(self, job, actor):
        """A job's process has ended."""
        if job.actor is not actor:
            return
        if actor.code in slurm_task._AGAIN and not self.deaf:
            self.requeue(job)
        else:
            job.state, job.node = 'COMPLETED', ''

    def requeue(self, job):
        """Put a job back into the queue."""
        job.state, job.node, job.actor = 'PENDING', '', None
        job.restarts += 1

    # trainings

    def training(self, actor, task):
        """``mmaction-ext train``: steps of the process; returns its exit code."""
        run, name = task['run'], task['run'].rpartition('/')[0]
        seed = int(task['run'].rpartition('/seed')[2])
        config = self.root / f'configs/{name}.py'
        resolved = self.load(config)
        identity = RunIdentity(name, seed, config_hash(resolved))
        if task['config_hash'] != identity.config_hash:
            return 2
        folder = self.runs / run
        folder.mkdir(parents=True, exist_ok=True)
        try:
            lock = work_dir.claim_work_dir(folder, identity)
        except (InputError, OSError):
            return 2
        actor.lock = lock
        if not actor.alive:
            lock.close()
            return 1
        try:
            return (yield from self.working(actor, folder, identity, resolved, lock, task))
        except Superseded:
            return 2
        except OSError:
            return 2
        finally:
            lock.close()

    def working(self, actor, folder, identity, resolved, lock, task):
        """The ledger of a training, from its beginning to its end."""
        done = self.saved(folder)
        facts = dict(
            uid=work_dir.claimed_uid(folder, identity),
            **identity.facts,
            job_type='train',
            overrides={},
            recipe=resolved,
            static=dict(params=1, macs=1),
            env={},
            git=dict(commit='c0ffee', dirty=False),
            sources={},
            data={},
        )
        os.environ['SLURM_JOB_ID'] = self.slurm_id(actor.job) if actor.job else ''
        ledger = RunLedger(folder, facts, resumes=bool(done), lock=lock)
        self.begins(actor, identity, task)
        ledger.update(resumed_from_iter=done)
        ledger.heartbeat.iteration = lambda: done
        ledger.heartbeat.beat()
        with contextlib.closing(MetricsFile(folder, ledger.number)) as metrics:
            while done < TOTAL:
                for _ in range(int(SECONDS / BEAT) * self.slow.get(actor.host, 1)):
                    yield BEAT
                    ledger.heartbeat.beat()
                self.works(actor, identity)
                done += 1
                metrics.append('train', done, 1, {'train/loss': 1 / done, 'train/time': SECONDS})
                if done % SAVED == 0 or actor.warned:
                    (folder / 'saved.tmp').write_text(f'{done}')
                    (folder / 'saved.tmp').replace(folder / 'saved')
                if actor.warned:
                    ledger.end(os.EX_TEMPFAIL)
                    return os.EX_TEMPFAIL
                if self.chance.random() < 0.004 and not self.calm:
                    ledger.end(1, last_error='RuntimeError: bad luck')
                    return 1
            yield 5
            ledger.heartbeat.beat()
            self.works(actor, identity)
            self.test(folder, identity, metrics, ledger.number)
            ledger.end(0)
            self.run(identity).finished.append(identity.config_hash)
            return 0

    def test(self, folder, identity, metrics, number):
        """Log the test of a training."""
        weights = f'of {identity.uid}'
        values = {
            'test/acc/top1': value_of(identity),
            'test/num_samples': 8,
            'test/checkpoint_sha256': weights,
            'test/data_digest': 'd',
        }
        metrics.append('test', TOTAL, 1, values)
        write_result(
            folder,
            number,
            dict(
                uid=work_dir.claimed_uid(folder, identity),
                job_type='train',
                iter=TOTAL,
                epoch=1,
                checkpoint=dict(path='saved', sha256=weights),
                protocol={},
                metrics={'test/acc/top1': value_of(identity)},
                num_samples=8,
                data_digest='d',
                predictions=None,
            ),
        )

    def saved(self, folder):
        """Iteration of the newest checkpoint."""
        path = folder / 'saved'
        return int(path.read_text()) if path.exists() else 0

    # who sees all

    def run(self, identity):
        """What is known of a run."""
        return self.known.setdefault((identity.config, identity.seed), Run())

    def begins(self, actor, identity, task):
        """A process begins to work on a run, which has not been finished and was asked for."""
        run = self.run(identity)
        assert identity.config_hash not in run.finished, f'{identity} is finished and begun again'
        assert identity.config_hash == task['config_hash'], f'{identity} is not what was planned'
        older = run.newest
        if older and older.alive and not older.asleep and self.now > self.silent_until:
            raise AssertionError(f'{identity} is begun though a process works on it')
        run.newest = actor
        run.begun[identity.config_hash] = run.begun.get(identity.config_hash, 0) + 1

    def works(self, actor, identity):
        """A process takes a step."""
        assert actor.alive and not actor.asleep
        assert self.run(identity).newest is actor, f'two processes work on {identity}'

    # what goes wrong

    def misfortune(self):
        """Something happens, and again some minutes later."""
        if self.calm:
            return
        running = [job for job in self.jobs.values() if job.state == 'RUNNING']
        job = self.chance.choice(running) if running else None
        self.happened += 1
        kind = self.chance.choice(
            (
                *('warn', 'preempt', 'lose', 'cut', 'cut', 'unseen'),
                *('full', 'deaf', 'clock', 'edit', 'twice'),
            )
        )
        getattr(self, f'_{kind}')(job)
        self.at(self.chance.uniform(30, 600), self.misfortune)

    def _warn(self, job):
        """A preemption with a warning."""
        if job and job.actor:
            job.actor.warned = True

    def _preempt(self, job):
        """A preemption without one: SIGTERM, then SIGKILL, then back into the queue."""
        if job and job.actor:
            self.kill(job.actor)
            self.requeue(job)

    def _lose(self, job):
        """A node dies; it comes back."""
        if job and job.actor and self.nodes[job.node]:
            node = job.node
            self.nodes[node] = False
            self.at(self.chance.uniform(300, HOUR), lambda: self.nodes.update({node: True}))
            self._preempt(job)

    def _cut(self, job):
        """A node is cut off; it comes back and its process goes on. Its locks are lost."""
        if job and job.actor and self.nodes[job.node]:
            node, actor = job.node, job.actor
            self.nodes[node], actor.asleep = False, True
            if actor.lock:
                actor.lock.close()

            def back():
                self.nodes[node], actor.asleep = True, False
                self.go_on(actor)

            self.at(self.chance.uniform(10, HOUR), back)
            self.at(self.chance.uniform(1, 300), lambda: self._lost(job, actor))

    def _lost(self, job, actor):
        if job.actor is actor and job.state == 'RUNNING':
            self.requeue(job)

    def _full(self, _):
        self.full, seconds = True, self.chance.uniform(60, 1800)
        # hearts are silent meanwhile, and for a beat more
        self.silent_until = max(self.silent_until, self.now + seconds + 300)
        self.at(seconds, lambda: setattr(self, 'full', False))

    def _unseen(self, job):
        """Slurm loses sight of a node; its process goes on."""
        if job and job.actor and self.nodes[job.node]:
            node, actor = job.node, job.actor
            self.nodes[node] = False
            self.at(self.chance.uniform(300, HOUR), lambda: self.nodes.update({node: True}))
            self._lost(job, actor)

    def _deaf(self, _):
        self.deaf = True
        self.at(self.chance.uniform(60, HOUR), lambda: setattr(self, 'deaf', False))

    def _clock(self, _):
        host = self.chance.choice(list(self.clocks))
        self.clocks[host] += self.chance.choice((-HOUR, -200, 200, HOUR))

    def _edit(self, _):
        if self.chance.random() < 0.3:
            self.edit(self.chance.randrange(12))

    def _twice(self, _):
        """Two users launch at the same time, and one of them is killed in the middle."""
        for host, name in (('login1', 'all'), ('login2', 'other')):
            actor = self.user(host, self.launch(name))
            if self.chance.random() < 0.5:
                self.at(self.chance.uniform(0, 60), lambda actor=actor: self.kill(actor))

    def user(self, host, steps):
        """A user starts a command."""
        actor = self.actor_at(host, steps)
        self.at(self.chance.uniform(0, 2), lambda: self.go_on(actor))
        return actor

    def every_hour(self):
        """What users do."""
        self.user('login1', self.launch('all'))
        self.at(300, lambda: self.user('login2', self.launch('two', self.specs[1])))
        self.at(600, lambda: self.user('login2', self.launch_here('mine', self.specs[0])))
        self.at(HOUR, self.every_hour)

    def live(self, hours, calm_after):
        """Let time pass until all is done, or for some hours."""
        self.at(0, self.every_hour)
        self.at(10, self.schedule)
        self.at(300, self.misfortune)
        self.at(calm_after * HOUR, lambda: setattr(self, 'calm', True))
        for hour in range(1, hours + 1):
            self.advance(hour * HOUR)
            if self.calm and not any(actor.alive for actor in self.actors.values() if actor.job):
                self.full = self.deaf = False
                plan = self.plan()
                if not plan.tasks and not plan.left:
                    break

    def _patch(self, patch, locked):
        patch.chdir(self.root)
        bin_folder = self.root / 'bin'
        bin_folder.mkdir()
        (bin_folder / 'srun').write_text('#!/bin/sh\n')
        (bin_folder / 'srun').chmod(0o755)
        patch.setenv('PATH', f'{bin_folder}:{os.environ["PATH"]}')
        patch.setenv('SLURM_JOB_ID', '')
        patch.setattr(time, 'time', lambda: self.began + self.now + self.clocks[self.actor.host])
        patch.setattr(time, 'monotonic', lambda: self.now)
        patch.setattr(time, 'sleep', lambda seconds: self.advance(self.now + seconds))
        patch.setattr(os, 'getpid', lambda: self.actor.pid)
        patch.setattr(os, 'fsync', lambda descriptor: None)
        patch.setattr(process, 'host', lambda: self.actor.host)
        patch.setattr(process, 'boot_id', lambda: f'boot of {self.actor.host}')
        patch.setattr(process, 'process_start', self._process_start)
        silent = SimpleNamespace(start=lambda: None, join=lambda: None)
        patch.setattr(
            claims,
            'threading',
            SimpleNamespace(Event=threading.Event, Thread=lambda **how: silent),
        )
        patch.setattr(attempts, 'Heartbeat', Pulse)
        patch.setattr(heartbeat, 'give_way', self._give_way)
        patch.setattr(attempts.termination, 'at_termination', lambda callback: None)
        patch.setattr(work_dir, '_age', lambda path, now: self.now - self.beats.get(path, 0.0))
        patch.setattr(slurm, 'ask', self.ask)
        fill, append = writing._fill, journal.Journal.append

        def filling(file, content, sync):
            self._needs_room()
            fill(file, content, sync)

        def appending(file, line, sync=False):
            self._needs_room()
            append(file, line, sync)

        patch.setattr(writing, '_fill', filling)
        patch.setattr(journal.Journal, 'append', appending)
        beat = heartbeat.write_atomically

        def beating(path, *rest, **how):
            beat(path, *rest, **how)
            self.beats[Path(path)] = self.now

        patch.setattr(heartbeat, 'write_atomically', beating)
        if not locked:
            patch.setattr(locks, 'try_lock', lambda descriptor: True)
            patch.setattr(locks.fcntl, 'flock', lambda *_: None)

    def _process_start(self, pid=None):
        actor = self.actors.get(pid or self.actor.pid)
        is_here = actor and actor.alive and actor.host == self.actor.host
        return actor.pid if is_here else None

    def _give_way(self, reason):
        raise Superseded(reason)

    def _needs_room(self):
        if self.full:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))


def value_of(identity):
    """What a training measures: the same whenever it is made."""
    return random.Random(f'{identity.config} {identity.seed} {identity.config_hash}').random()
