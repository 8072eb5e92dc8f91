"""What a browser shows, asked for until it is so."""

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
    """What a drag of one file would carry."""
    return page.evaluate_handle(_DROP, [base64.b64encode(data).decode(), name])


def grey(page: Page) -> int:
    """Of the radiograph's middle pixel, 0 to 255."""
    return int(page.evaluate(f"() => {_MIDDLE}"))


def clear(page: Page) -> float:
    """What share of the map's pixels is clear."""
    return float(page.evaluate(f"() => {_CLEAR}"))


def scale(page: Page) -> float:
    """Of the picture on the screen."""
    return float(page.evaluate(f"() => {_SCALE}"))


def until_scale(page: Page, comparison: str, value: float) -> None:
    """Wait until the scale is so: `comparison` is an operator of JavaScript."""
    page.wait_for_function(f"(value) => (() => {_SCALE})() {comparison} value", arg=value)


def until_grey(page: Page, comparison: str, value: int) -> None:
    """Wait until the middle pixel is so."""
    page.wait_for_function(f"(value) => (() => {_MIDDLE})() {comparison} value", arg=value)


def until_clear(page: Page, comparison: str, value: float) -> None:
    """Wait until the share of clear pixels is so."""
    page.wait_for_function(f"(value) => (() => {_CLEAR})() {comparison} value", arg=value)


def evidence(answer: dict[str, Any]) -> str:
    """The statement as the page shows it: its warnings stand below it."""
    explanation = answer["explanation"]
    statement: str = explanation["statement"]
    for warning in explanation["warnings"]:
        statement = statement.replace(warning, "")
    return statement.strip()


def wait_for_map(page: Page) -> None:
    expect(page.locator(MAP)).to_be_visible()
