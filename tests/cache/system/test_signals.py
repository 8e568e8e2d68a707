import os
import signal

import pytest

from echo_augment.cache.system.signals import SafeStop


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGUSR1, signal.SIGUSR2])
def test_a_signal_waits_for_the_end_of_a_shielded_stretch(number):
    before, steps = signal.getsignal(number), []
    with pytest.raises(KeyboardInterrupt), SafeStop() as stop:
        with stop.shielded():
            os.kill(os.getpid(), number)
            steps.append("whole")
        steps.append("never")
    assert steps == ["whole"] and signal.getsignal(number) == before


def test_who_waited_for_the_warning_hears_of_it_after_all_is_sealed():
    """submitit requeues the job from its handler and then exits: before sealing, that would lose clips."""
    steps = []

    def requeue(number, frame):
        steps.append(f"requeued on {signal.Signals(number).name}")
        raise SystemExit(3)

    before = signal.signal(signal.SIGUSR2, requeue)
    try:
        with pytest.raises(SystemExit) as exit_of, SafeStop() as stop:
            try:
                os.kill(os.getpid(), signal.SIGUSR2)
            finally:
                with stop.shielded():
                    steps.append("sealed")
        assert exit_of.value.code == 3 and steps == ["sealed", "requeued on SIGUSR2"]
        assert signal.getsignal(signal.SIGUSR2) is requeue
    finally:
        signal.signal(signal.SIGUSR2, before)


def test_an_ignored_warning_stays_ignored():
    before = signal.signal(signal.SIGUSR1, signal.SIG_IGN)
    try:
        with SafeStop():
            os.kill(os.getpid(), signal.SIGUSR1)
    finally:
        signal.signal(signal.SIGUSR1, before)
