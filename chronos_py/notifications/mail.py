"""Mail to the owners of a job."""

from __future__ import annotations

import hashlib
import smtplib
import ssl
from collections.abc import Sequence
from email.message import EmailMessage
from email.utils import format_datetime

from chronos_py.notifications.channel import NotDelivered
from chronos_py.notifications.notice import Notice

TIMEOUT_SECONDS = 10.0


class MailChannel:
    """One mail for each owner that is a mail address. ``site`` is where the pages are.

    With ``tls`` the connection is TLS from the start; without, it becomes so where the server offers it and a
    password is about to be sent. Certificates are checked.
    """

    name = "mail"

    def __init__(
        self,
        server: tuple[str, int],
        sender: str,
        cluster_name: str = "",
        site: str = "",
        user: str = "",
        password: str = "",
        tls: bool = False,
    ) -> None:
        self._server = server
        self._sender = sender
        self._cluster_name = cluster_name
        self._site = site
        self._user = user
        self._password = password
        self._tls = tls

    def recipients(self, notice: Notice) -> Sequence[str]:
        return [owner for owner in notice.owners if "@" in owner]

    def send(self, notice: Notice, recipient: str) -> None:
        host, port = self._server
        try:
            letter = self._letter(notice, recipient)
        except (ValueError, UnicodeError) as error:
            raise NotDelivered(f"mail cannot be addressed to {recipient!r}: {error}", is_final=True) from error
        try:
            with self._connect(host, port) as connection:
                if self._user:
                    self._log_in(connection)
                connection.send_message(letter, self._sender, [recipient])
        except smtplib.SMTPRecipientsRefused as error:
            code, answer = next(iter(error.recipients.values()))
            raise NotDelivered(_refusal(recipient, code, answer), is_final=code >= 500) from error
        except smtplib.SMTPDataError as error:
            raise NotDelivered(
                _refusal(recipient, error.smtp_code, error.smtp_error), is_final=error.smtp_code >= 500
            ) from error
        except smtplib.SMTPResponseException as error:  # of the sender or the password: somebody will mend that
            raise NotDelivered(_refusal(recipient, error.smtp_code, error.smtp_error), is_final=False) from error
        except (smtplib.SMTPException, OSError, UnicodeError) as error:
            raise NotDelivered(f"mail server {host}:{port} cannot be used: {error}", is_final=False) from error

    def _connect(self, host: str, port: int) -> smtplib.SMTP:
        if self._tls:
            context = ssl.create_default_context()
            return smtplib.SMTP_SSL(host, port, timeout=TIMEOUT_SECONDS, context=context)
        return smtplib.SMTP(host, port, timeout=TIMEOUT_SECONDS)

    def _log_in(self, connection: smtplib.SMTP) -> None:
        connection.ehlo_or_helo_if_needed()
        if not self._tls and connection.has_extn("starttls"):
            connection.starttls(context=ssl.create_default_context())
        connection.login(self._user, self._password)

    def _letter(self, notice: Notice, recipient: str) -> EmailMessage:
        letter = EmailMessage()
        letter["From"] = self._sender
        letter["To"] = recipient
        letter["Subject"] = notice.subject(self._cluster_name)
        letter["Date"] = format_datetime(notice.decided_at)
        # The same for a second delivery, so that mail programs may see that it is one.
        digest = hashlib.sha256(f"{self._cluster_name}/{notice.id}/{notice.decided_at}/{recipient}".encode())
        letter["Message-ID"] = f"<{digest.hexdigest()[:32]}@chronos>"
        letter["Auto-Submitted"] = "auto-generated"
        letter.set_content(notice.message(self._site) + "\n")
        return letter


def _refusal(recipient: str, code: int, answer: bytes | str) -> str:
    text = answer.decode(errors="replace") if isinstance(answer, bytes) else answer
    return f"mail to {recipient} was refused: {code} {text}"
