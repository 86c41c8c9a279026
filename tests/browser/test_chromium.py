"""The tests' own tools: a page is rendered, and a fault of accessibility is found."""


def test_a_picture_without_words_is_found(chromium, serious):
    page = chromium.new_page(viewport={"width": 390, "height": 844})
    page.set_content(
        "<html lang=en><title>t</title><main><h1>h</h1><img src='data:image/gif;base64,R0lGODlhAQABAAAAACw='></main>"
    )
    assert [one.split(":")[0] for one in serious(page)] == ["image-alt"]
    page.locator("img").evaluate("image => image.alt = 'a dot'")
    assert serious(page) == []
    page.close()
