"""The one error that users see: it names the file or argument, the value found and the remedy."""


class EchoAugmentError(ValueError):
    """Bad input or a broken file. The command line prints it without a traceback and exits with 1.

    Args:
        message: what is wrong, naming the file or argument and the value found.
        remedy: what the user can do about it; printed after the message.
    """

    def __init__(self, message: str, remedy: str = "") -> None:
        super().__init__(message, remedy)
        self.message = message
        self.remedy = remedy

    def __str__(self) -> str:
        return f"{self.message}. {self.remedy}" if self.remedy else self.message
