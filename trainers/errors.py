"""What can go wrong while training."""


class TrainingDivergedError(ArithmeticError):
    """The loss is no number any more; says where, and the last loss that was one."""

    def __init__(self, where: str, loss: float, last_finite: float | None) -> None:
        before = "no step before it" if last_finite is None else f"{last_finite:.6g} just before"
        super().__init__(f"the loss became {loss} in {where} ({before}); try a lower learning rate")


class TrainingStoppedError(Exception):
    """Nobody wants the model any more; where the training stands was written down."""
