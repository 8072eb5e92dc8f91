"""Values that a browser shows, polled until they are as expected."""

import base64
from typing import Any

from playwright.sync_api import JSHandle, Page, expect

_DROP = """([text, name]) => {
  const bytes = Uint8Array.from(atob(text), (letter) => letter.charCodeAt(0));
  const transfer = new DataTransfer();
  transfer.items.add(new File([bytes], name));
  return transfer;
}"""
_MIDDLE = """{
  const canvas = document.querySelector('.stage .grey');
  return canvas.getContext('2d').getImageData(canvas.width / 2, canvas.height / 2, 1, 1).data[0];
}"""
_CLEAR = """{
  const canvas = document.querySelector('.stage .map');
  const { data } = canvas.getContext('2d').getImageData(0, 0, canvas.width, canvas.height);
  return data.filter((value, i) => i % 4 === 3 && value === 0).length / (data.length / 4);
}"""
_SCALE = "{ return new DOMMatrix(getComputedStyle(document.querySelector('.stage')).transform).a; }"

MAP = ".stage .map"


def dropped(page: Page, name: str, data: bytes) -> JSHandle:
    """The data of a drag with one file."""
    return page.evaluate_handle(_DROP, [base64.b64encode(data).decode(), name])


def grey(page: Page) -> int:
    """Grey of the radiograph's middle pixel, 0 to 255."""
    return int(page.evaluate(f"() => {_MIDDLE}"))


def clear(page: Page) -> float:
    """The share of the map's pixels that are transparent."""
    return float(page.evaluate(f"() => {_CLEAR}"))


def scale(page: Page) -> float:
    """The scale of the picture on the screen."""
    return float(page.evaluate(f"() => {_SCALE}"))


def until_scale(page: Page, comparison: str, value: float) -> None:
    """Wait until the scale compares so with `value`. `comparison`: an operator of JavaScript."""
    page.wait_for_function(f"(value) => (() => {_SCALE})() {comparison} value", arg=value)


def until_grey(page: Page, comparison: str, value: int) -> None:
    """Wait until the middle pixel's grey is as expected."""
    page.wait_for_function(f"(value) => (() => {_MIDDLE})() {comparison} value", arg=value)


def until_clear(page: Page, comparison: str, value: float) -> None:
    """Wait until the share of transparent pixels is as expected."""
    page.wait_for_function(f"(value) => (() => {_CLEAR})() {comparison} value", arg=value)


def evidence(answer: dict[str, Any]) -> str:
    """The statement on the page, without the warnings, which are shown below it."""
    explanation = answer["explanation"]
    statement: str = explanation["statement"]
    for warning in explanation["warnings"]:
        statement = statement.replace(warning, "")
    return statement.strip()


def wait_for_map(page: Page) -> None:
    expect(page.locator(MAP)).to_be_visible()
