"""One radiograph, from the drop to the map, and all tools for the picture."""

import time
from typing import Any

import pytest
from playwright.sync_api import Page, expect

from cxr.decode import decode
from cxr.report.explanation import METHOD_NAMES
from scripts.server import Server
from tests import files
from tests.service.page.browser.conftest import Open
from tests.service.page.browser.looking import (
    MAP,
    clear,
    dropped,
    evidence,
    grey,
    scale,
    until_clear,
    until_grey,
    until_scale,
    wait_for_map,
)


def asked(server: Server, route: str, data: bytes) -> dict[str, Any]:
    response = server.client.post(route, content=data)
    response.raise_for_status()
    answer: dict[str, Any] = response.json()
    return answer


@pytest.fixture
def reading(open_page: Open, dicom: bytes) -> Page:
    """A page with a radiograph and its map."""
    opened = open_page()
    opened.pick(("chest.dcm", dicom))
    wait_for_map(opened.page)
    return opened.page


def test_a_dropped_dicom_file_becomes_a_finding_and_a_map(
    open_page: Open, server: Server, record_property: Any
) -> None:
    page, data = open_page().page, files.radiograph_dicom()
    transfer = dropped(page, "chest without a suffix", data)
    begun = time.perf_counter()
    page.dispatch_event("main", "drop", {"dataTransfer": transfer})
    wait_for_map(page)
    record_property("seconds_from_drop_to_map", round(time.perf_counter() - begun, 2))

    answer = asked(server, "/explain", data)
    expect(page.locator(".banner")).to_have_text(answer["disclaimer"])
    expect(page.locator(".set")).to_contain_text(answer["prediction_set_text"])
    numbers = page.locator(".bars .number").all_inner_texts()
    assert [float(number.split()[-1]) for number in numbers] == pytest.approx(
        list(answer["probabilities"].values()), abs=0.0051
    )
    expect(page.locator(".statement")).to_have_text(evidence(answer))
    shown = page.locator(".finding .warning").all_inner_texts()
    assert shown == [*answer["warnings"], *answer["explanation"]["warnings"]]
    page.get_by_text("File and model").click()
    expect(page.get_by_text(answer["instance"]["sop_instance_uid"])).to_be_visible()
    expect(page.locator(".item")).to_contain_text("DICOM, 7.2 MB")


def test_the_radiograph_is_the_one_that_is_classified(reading: Page, dicom: bytes) -> None:
    pixels = decode(dicom).pixels
    until_grey(reading, "===", int(pixels[pixels.shape[0] // 2, pixels.shape[1] // 2]))


def test_method_class_and_network_are_chosen_without_a_new_upload(reading: Page, server: Server, dicom: bytes) -> None:
    reading.get_by_role("radio", name="LRP").check()
    reading.get_by_role("radio", name="COVID-19").check()
    reading.get_by_label("Map of").select_option("vgg16-bn-1")
    answer = asked(server, "/explain?method=lrp&target=covid19&member=vgg16-bn-1", dicom)
    expect(reading.locator(".statement")).to_have_text(evidence(answer))
    expect(reading.locator(".colour-bar")).to_contain_text("against")
    expect(reading.get_by_role("row", name="vgg16-bn-1")).to_be_visible()


def test_the_methods_side_by_side(reading: Page) -> None:
    reading.get_by_text("Methods side by side").click()
    expect(reading.get_by_role("heading", level=3)).to_contain_text(["Statement", *METHOD_NAMES.values()])
    expect(reading.locator("figcaption p").last).to_contain_text("trained on radiologists' boxes")


def test_zoom_and_pan_by_wheel_keys_and_buttons(reading: Page) -> None:
    viewport, fit = reading.get_by_role("application"), scale(reading)
    viewport.hover()
    reading.mouse.wheel(0, -400)
    until_scale(reading, ">", 1.2 * fit)
    viewport.focus()
    reading.keyboard.press("0")
    until_scale(reading, "===", fit)
    reading.keyboard.press("+")
    until_scale(reading, ">", fit)
    reading.get_by_role("button", name="Smaller").click()
    reading.get_by_role("button", name="Smaller").click()
    until_scale(reading, "<", fit)
    reading.get_by_role("button", name="Reset view").click()
    until_scale(reading, "===", fit)


def test_the_window_by_slider_and_by_drag(reading: Page) -> None:
    shown = grey(reading)
    reading.get_by_label("Window level").press("Home")
    until_grey(reading, ">", shown)
    reading.get_by_role("button", name="Reset view").click()
    until_grey(reading, "===", shown)
    reading.get_by_label("sets the window").check()
    box = reading.get_by_role("application").bounding_box()
    assert box
    reading.mouse.move(box["x"] + 200, box["y"] + 200)
    reading.mouse.down()
    reading.mouse.move(box["x"] + 200, box["y"] + 300, steps=4)
    reading.mouse.up()
    until_grey(reading, "<", shown)
    reading.get_by_role("button", name="Reset view").click()
    reading.get_by_label("Negative").check()
    until_grey(reading, "===", 255 - shown)


def test_the_map_blinks_and_has_opacity_threshold_zones_and_boxes(reading: Page) -> None:
    layer = reading.locator(MAP)
    reading.get_by_role("application").focus()
    reading.keyboard.down("b")
    expect(layer).to_have_css("opacity", "0")
    reading.keyboard.up("b")
    expect(layer).to_have_css("opacity", "0.5")
    reading.get_by_label("Opacity").press("End")
    expect(layer).to_have_css("opacity", "1")
    before = clear(reading)
    reading.get_by_label("Threshold").press("End")
    until_clear(reading, ">", before)
    reading.get_by_label("Zones").check()
    expect(reading.locator(".zones polygon").first).to_be_attached()
    reading.get_by_label("Boxes").check()
    expect(reading.locator(".boxes rect").first).to_be_attached()
    reading.get_by_role("checkbox", name="Map").uncheck()
    expect(layer).to_have_css("opacity", "0")


def test_looking_needs_no_request(open_page: Open, dicom: bytes) -> None:
    opened = open_page()
    opened.pick(("chest.dcm", dicom))
    wait_for_map(opened.page)
    before = list(opened.asked)
    assert [url.removeprefix(f"{opened.base}").split("?")[0].strip("/") for url in before[-3:]].count("explain") == 1
    opened.page.get_by_label("Threshold").press("End")
    opened.page.get_by_label("Window level").press("Home")
    opened.page.get_by_role("button", name="Larger").click()
    until_clear(opened.page, ">", 0.5)
    assert opened.asked == before


def test_the_picture_for_people_is_saved(reading: Page) -> None:
    with reading.expect_download() as download:
        reading.get_by_role("button", name="Save picture").click()
    assert download.value.suggested_filename == "chest.dcm.gradcam_plus_plus.png"
    assert download.value.path().read_bytes().startswith(b"\x89PNG")


def test_print_has_banner_finding_and_picture(reading: Page) -> None:
    reading.emulate_media(media="print")
    for shown in (".banner", ".set", ".bars", ".statement", ".stage"):
        expect(reading.locator(shown)).to_be_visible()
    for hidden in (".list", ".controls", ".question"):
        expect(reading.locator(hidden)).to_be_hidden()
